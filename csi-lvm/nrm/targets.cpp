#include <algorithm>
#include <cctype>

#include "csi-lvm/nrm/plan.h"

namespace holdfast::nrm {
namespace {

using block::DeviceIdentity;
using Kind = DeviceSelector::Kind;

std::string partition_name(const std::string& disk, unsigned number) {
  const bool ends_in_digit = std::isdigit(static_cast<unsigned char>(disk.back())) != 0;
  return disk + (ends_in_digit ? "p" : "") + std::to_string(number);
}

bool is_named(const DeviceIdentity& device, const DeviceSelector& selector) {
  if (!device.whole_disk.empty()) return false;
  return selector.kind == Kind::kWwn ? plain_wwn(device.wwn) == selector.value
                                     : device.serial == selector.value;
}

// Only what can be found again is taken without having been named, and nothing that somebody may pull out.
bool fits(const DeviceIdentity& device, const DeviceSelector& selector) {
  return device.whole_disk.empty() && device.lasts() && !device.removable &&
         device.size_bytes >= selector.least_bytes && device.size_bytes <= selector.most_bytes &&
         device.rotational == selector.rotational.value_or(device.rotational);
}

class Finder {
 public:
  Finder(const std::string& entry, const NodeFacts& facts) : entry_(entry), facts_(facts) {}

  void find(const DeviceSelector& selector, const Pins& pins) {
    bool pinned = false;
    for (const Pin& pin : pins) {
      if (pin.entry == entry_ && pin.selector == selector.text) pinned = find_again(pin) || pinned;
    }
    if (selector.kind == Kind::kFitting) return find_fitting(selector);
    if (pinned) return;
    if (selector.kind == Kind::kPath) return find_path(selector);
    find_named(selector);
  }

  std::vector<Target> found;

 private:
  Target& add(const std::string& selector) {
    found.push_back({.entry = entry_, .selector = selector, .kernel_name = {}, .why = {}, .pin = {}});
    return found.back();
  }

  // False when nothing of it lasts: then it means what it says.
  bool find_again(const Pin& pin) {
    const auto by_content = std::ranges::find_if(facts_.members, [&pin](const auto& member) {
      return !pin.pv_uuid.empty() && member.second.uuid == pin.pv_uuid;
    });
    if (by_content != facts_.members.end()) {
      Target& target = add(pin.selector);
      target.kernel_name = by_content->first;
      target.pin = pin;
      return true;
    }
    if (pin.lasts()) {
      find_disk_of(pin);
      return true;
    }
    if (pin.pv_uuid.empty()) return false;
    add(pin.selector).why =
        "the physical volume " + pin.pv_uuid + " that it had when it was taken is not there";
    return true;
  }

  void find_disk_of(const Pin& pin) {
    Target& target = add(pin.selector);
    target.pin = pin;
    for (const DeviceIdentity& device : facts_.devices) {
      if (!is_of(pin, device)) continue;
      if (!target.kernel_name.empty()) {
        target.why = "is both " + target.kernel_name + " and " + device.kernel_name;
        target.kernel_name.clear();
        return;
      }
      target.kernel_name = device.kernel_name;
    }
    if (!target.kernel_name.empty()) return;
    target.why = "the disk that it was when it was taken (" +
                 (pin.wwn.empty() ? "serial " + pin.serial : "wwn " + pin.wwn) + ") is not there";
  }

  void find_path(const DeviceSelector& selector) {
    const auto link = facts_.links.find(selector.value);
    Target& target = add(selector.text);
    if (link == facts_.links.end()) {
      target.why = "is not there";
      return;
    }
    target.kernel_name = link->second;
  }

  void find_named(const DeviceSelector& selector) {
    Target& target = add(selector.text);
    for (const DeviceIdentity& device : facts_.devices) {
      if (!is_named(device, selector)) continue;
      if (!target.kernel_name.empty()) {
        target.why = "is both " + target.kernel_name + " and " + device.kernel_name +
                     ": paths of one disk; name its multipath device";
        target.kernel_name.clear();
        return;
      }
      target.kernel_name = device.kernel_name;
    }
    if (selector.partition > 0 && !target.kernel_name.empty()) {
      target.kernel_name = partition_name(target.kernel_name, selector.partition);
    }
    if (facts_.device(target.kernel_name) != nullptr) return;
    target.kernel_name.clear();
    target.why = "is not there";
  }

  void find_fitting(const DeviceSelector& selector) {
    for (const DeviceIdentity& device : facts_.devices) {
      if (!fits(device, selector) || is_found(device.kernel_name)) continue;
      Target& target = add(selector.text);
      target.kernel_name = device.kernel_name;
      target.optional = true;
    }
  }

  [[nodiscard]] bool is_found(const std::string& kernel_name) const {
    return std::ranges::find(found, kernel_name, &Target::kernel_name) != found.end();
  }

  const std::string& entry_;
  const NodeFacts& facts_;
};

}  // namespace

std::vector<Target> find_targets(const std::string& entry, const std::vector<DeviceSelector>& devices,
                                 const NodeFacts& facts, const Pins& pins) {
  Finder finder(entry, facts);
  for (const DeviceSelector& selector : devices) finder.find(selector, pins);
  return std::move(finder.found);
}

const Target* disk_of_folder(const std::vector<Target>& targets) {
  const auto pinned =
      std::ranges::find_if(targets, [](const Target& target) { return target.pin.has_value(); });
  if (pinned != targets.end()) return &*pinned;
  const auto there =
      std::ranges::find_if(targets, [](const Target& target) { return !target.kernel_name.empty(); });
  if (there != targets.end()) return &*there;
  return targets.empty() ? nullptr : &targets.front();
}

std::map<std::string, std::vector<Claim>> claims_of(const Topology& own, const NodeFacts& facts,
                                                    const Pins& pins) {
  std::map<std::string, std::vector<Claim>> claims;
  const auto add = [&claims](const Target& target) {
    if (target.kernel_name.empty() || target.optional) return;
    std::vector<Claim>& of_disk = claims[target.kernel_name];
    auto own_claim = std::ranges::find(of_disk, target.entry, &Claim::entry);
    if (own_claim == of_disk.end()) own_claim = of_disk.insert(of_disk.end(), Claim{.entry = target.entry});
    own_claim->pinned = own_claim->pinned || target.pin.has_value();
  };
  for (const GroupEntry& entry : own.groups) {
    for (const Target& target : find_targets(entry.name, entry.devices, facts, pins)) add(target);
  }
  for (const QuotaPathEntry& entry : own.quota_paths) {
    const std::vector<Target> targets = find_targets(entry.path, entry.devices, facts, pins);
    if (const Target* target = disk_of_folder(targets); target != nullptr) add(*target);
  }
  return claims;
}

std::vector<std::string> devices_to_probe(const std::vector<Target>& targets, const NodeFacts& facts) {
  std::vector<std::string> names;
  for (const Target& target : targets) {
    const bool known = target.kernel_name.empty() || facts.member(target.kernel_name) != nullptr;
    if (known || std::ranges::find(names, target.kernel_name) != names.end()) continue;
    names.push_back(target.kernel_name);
  }
  return names;
}

}  // namespace holdfast::nrm
