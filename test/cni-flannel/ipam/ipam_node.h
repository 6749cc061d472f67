#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/ipam/range_set.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/files.h"
#include "test/cni-flannel/ipam/forgetful_files.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel::test {

inline constexpr const char* kNetwork = "cbr0";

class FakeMachine final : public Machine {
 public:
  std::string boot = "boot-1";
  std::set<std::string> links;

  Result<std::string> boot_id() override { return boot; }
  Result<bool> link_exists(const std::string& name) override { return links.contains(name); }
};

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

inline IpRange whole(std::string_view subnet) { return whole_range(Cidr::parse(subnet).value()).value(); }

inline Pod pod(std::string name, std::string uid = "uid-1", std::string name_space = "default") {
  return {std::move(name_space), std::move(name), std::move(uid)};
}

inline std::string link_of(const std::string& container_id) { return "v" + container_id; }

inline Attachment attachment_of(const std::string& container_id) { return {kNetwork, container_id, "eth0"}; }

inline AllocationRequest request_of(const std::string& container_id, std::optional<Pod> pod) {
  return {attachment_of(container_id), std::move(pod), {}, link_of(container_id)};
}

inline std::vector<std::string> texts(const Allocation& allocation) {
  std::vector<std::string> out;
  for (const AssignedAddress& assigned : allocation.addresses) {
    out.push_back(assigned.address.address().to_string());
  }
  return out;
}

/// The network part of a node: folders, links, clocks and what a runtime does to them.
class Node {
 public:
  explicit Node(const std::vector<std::string>& subnets = {"10.244.3.0/24"}) { use_subnets(subnets); }

  void use_subnets(const std::vector<std::string>& subnets) {
    config.range_sets.clear();
    for (const std::string& subnet : subnets) {
      config.range_sets.push_back({whole(subnet)});
    }
  }

  [[nodiscard]] std::filesystem::path network_folder() const { return config.data_dir / kNetwork; }
  [[nodiscard]] std::filesystem::path log_path() const { return config.state_dir / "cbr0.bindings"; }

  StickyIpam ipam() { return {*port, machine, clock, config}; }

  Result<Allocation> try_add(const AllocationRequest& request) {
    StickyIpam manager = ipam();
    auto allocation = manager.allocate(request);
    notices = manager.notices();
    if (allocation) {
      for (const std::string& stale : allocation->stale_host_links) {
        machine.links.erase(stale);
      }
      machine.links.insert(request.host_link);
    }
    return allocation;
  }
  /// The first address, or the error's text.
  std::string add(const std::string& container_id, std::optional<Pod> pod = std::nullopt) {
    const auto allocation = try_add(request_of(container_id, std::move(pod)));
    return allocation ? texts(*allocation).front() : allocation.error().message;
  }
  Status del(const std::string& container_id) {
    machine.links.erase(link_of(container_id));
    StickyIpam manager = ipam();
    Status done = manager.release(attachment_of(container_id));
    notices = manager.notices();
    return done;
  }
  Result<std::vector<InUse>> gc(const std::vector<std::string>& valid) {
    std::vector<Attachment> attachments;
    std::ranges::transform(valid, std::back_inserter(attachments), attachment_of);
    StickyIpam manager = ipam();
    auto freed = manager.collect(kNetwork, attachments);
    notices = manager.notices();
    return freed;
  }
  void reboot() {
    machine.boot += "'";
    machine.links.clear();
    clock.boot_time = std::chrono::seconds(20);
  }
  /// Long enough for an ADD that is under way to be over.
  void wait() { clock.advance(StickyIpam::kAddMayTake + std::chrono::seconds(1)); }

  /// "address container/interface" of all in use.
  std::vector<std::string> in_use() {
    std::vector<std::string> out;
    const auto uses = ipam().all_in_use(kNetwork);
    for (const InUse& use : *uses) {
      out.push_back(use.address.to_string() + " " + use.container_id + "/" + use.ifname);
    }
    return out;
  }
  std::string read(const std::filesystem::path& path) {
    return files.read(path, std::size_t{1} << 24).value().value_or("(none)");
  }
  /// A file as another program leaves it.
  void write(const std::filesystem::path& path, std::string_view content) {
    static_cast<void>(files.make_folders(path.parent_path(), 0755));
    static_cast<void>(files.remove(path));
    static_cast<void>(files.create(path, content, 0600));
  }
  void write_address(const std::string& address, std::string_view content) {
    write(network_folder() / address, content);
  }

  holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  ForgetfulFiles unsynced{files,
                          ForgetfulFiles::Forgets::kBoth};  // what a kill leaves needs no flush of the disk
  Files* port = &unsynced;                                  // what the address manager works on
  FakeMachine machine;
  holdfast::test::FakeClock clock;
  IpamConfig config{folder / "networks", folder / "state", folder / "results", {}, {}, {}};
  std::vector<std::string> notices;  // of the last operation
};

}  // namespace holdfast::flannel::test
