#include "cni-flannel/ipam/binding_import.h"

#include <algorithm>
#include <map>
#include <utility>

namespace holdfast::flannel {
namespace {

constexpr std::string_view kOpenYurtIfname = "eth0";
constexpr std::chrono::seconds kLongAgo{-1};

// The addresses of an attachment whose files say so, too.
Result<std::vector<IpAddress>> held_addresses(const CachedAttachment& cached, AddressFiles& files,
                                              const AddressFiles::Listing& listing) {
  std::vector<IpAddress> held;
  for (const IpAddress& address : cached.addresses) {
    if (!std::ranges::binary_search(listing.in_use, address)) {
      continue;
    }
    HOLDFAST_TRY(const auto content, files.content(address));
    const auto owner = content ? parse_owner(*content) : std::nullopt;
    if (owner && owner->is(cached.attachment.container_id, cached.attachment.ifname)) {
      held.push_back(address);
    }
  }
  return held;
}

class Importer {
 public:
  Importer(AddressFiles& files, const AddressFiles::Listing& listing, std::string boot_id,
           std::chrono::sys_seconds now)
      : files_(files), listing_(listing), boot_id_(std::move(boot_id)), now_(now) {}

  // Of two sandboxes of one pod the one that lives counts.
  Status add(const CachedAttachment& cached, bool lives) {
    HOLDFAST_TRY(std::vector<IpAddress> held, held_addresses(cached, files_, listing_));
    if (!cached.pod || held.empty()) {
      return {};
    }
    Binding binding;
    binding.key = {cached.pod->name_space, cached.pod->name, cached.attachment.ifname};
    binding.uid = cached.pod->uid;
    binding.container_id = cached.attachment.container_id;
    binding.boot_id = boot_id_;
    binding.host_link = cached.host_link;
    binding.addresses = std::move(held);
    binding.wall_time = now_;
    binding.uptime = kLongAgo;
    const auto [at, is_new] = by_key_.try_emplace(binding.key, binding);
    if (!is_new && lives) {
      at->second = std::move(binding);
    }
    return {};
  }

  // A pod may have several (a defect of theirs): addresses that are in use come first.
  Status add(const OpenYurtReservation& reservation) {
    const PodKey key{reservation.name_space, reservation.pod, std::string(kOpenYurtIfname)};
    const auto [at, is_new] = by_key_.try_emplace(key);
    Binding& binding = at->second;
    if (is_new) {
      binding.key = key;
      binding.state = BindingState::kAbsent;
      binding.wall_time = now_;
      binding.uptime = kLongAgo;
    } else if (binding.state != BindingState::kAbsent) {
      return {};
    }
    if (!std::ranges::binary_search(listing_.in_use, reservation.address)) {
      binding.addresses.push_back(reservation.address);
      return {};
    }
    binding.addresses.insert(binding.addresses.begin(), reservation.address);
    HOLDFAST_TRY(const auto content, files_.content(reservation.address));
    const auto owner = content ? parse_owner(*content) : std::nullopt;
    binding.container_id = owner ? owner->container_id : "";
    return {};
  }

  std::vector<Binding> finish() && {
    std::vector<Binding> bindings;
    for (auto& [key, binding] : by_key_) {
      bindings.push_back(std::move(binding));
    }
    return bindings;
  }

 private:
  AddressFiles& files_;
  const AddressFiles::Listing& listing_;
  std::string boot_id_;
  std::chrono::sys_seconds now_;
  std::map<PodKey, Binding> by_key_;
};

}  // namespace

std::optional<OpenYurtReservation> parse_openyurt_name(std::string_view name) {
  const std::size_t first = name.find('_');
  const std::size_t second = first == std::string_view::npos ? first : name.find('_', first + 1);
  if (second == std::string_view::npos) {
    return std::nullopt;
  }
  const auto address = IpAddress::parse(name.substr(0, first));
  const std::string_view name_space = name.substr(first + 1, second - first - 1);
  const std::string_view pod = name.substr(second + 1);
  if (!address || name_space.empty() || pod.empty()) {
    return std::nullopt;
  }
  return OpenYurtReservation{*address, std::string(name_space), std::string(pod)};
}

Result<Import> import_bindings(AddressFiles& files, const AddressFiles::Listing& listing,
                               ResultsCache& results, Machine& machine, const std::string& network,
                               const std::string& boot_id, std::chrono::sys_seconds now) {
  const ResultsCache::Scan scan = results.all_of(network);
  Importer importer(files, listing, boot_id, now);
  for (const CachedAttachment& cached : scan.attachments) {
    bool lives = false;
    if (!cached.host_link.empty()) {
      HOLDFAST_TRY(lives, machine.link_exists(cached.host_link));
    }
    HOLDFAST_CHECK(importer.add(cached, lives));
  }
  for (const std::string& name : listing.other) {
    if (const auto reservation = parse_openyurt_name(name)) {
      HOLDFAST_CHECK(importer.add(*reservation));
    }
  }
  return Import{std::move(importer).finish(), scan.bad_files};
}

}  // namespace holdfast::flannel
