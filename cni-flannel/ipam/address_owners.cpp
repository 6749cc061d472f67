#include "cni-flannel/ipam/address_owners.h"

#include <algorithm>
#include <utility>

namespace holdfast::flannel {
namespace {

// The pod's interface when legacy content does not name it; kubelet's only one.
constexpr std::string_view kUsualIfname = "eth0";

bool names(const Binding& binding, const IpAddress& address) {
  return std::ranges::find(binding.addresses, address) != binding.addresses.end();
}

}  // namespace

AddressOwners::AddressOwners(Scene scene) : scene_(std::move(scene)) {}

Result<Owner> AddressOwners::owner_of(const IpAddress& address) {
  if (!std::ranges::binary_search(scene_.in_use, address)) {
    HOLDFAST_TRY(const Binding* living, living_binding(address));
    return living == nullptr ? Owner{} : Owner{OwnerState::kAlive, false, living->container_id};
  }
  const auto named = named_owner(address);
  if (!named || left_alone_.contains(address)) {
    return Owner{OwnerState::kUnknown, true, ""};
  }
  if (*named) {
    HOLDFAST_TRY(const OwnerState state, state_of(**named, address));
    return Owner{state, true, (*named)->container_id};
  }
  HOLDFAST_TRY(const auto owner, living_owner(address));
  return owner ? Owner{OwnerState::kAlive, true, owner->container_id} : Owner{OwnerState::kDead, true, ""};
}

Result<std::optional<FileOwner>> AddressOwners::named_owner(const IpAddress& address) {
  if (const auto known = named_.find(address); known != named_.end()) {
    return known->second;
  }
  HOLDFAST_TRY(const auto content, scene_.files.content(address));
  auto owner = content ? parse_owner(*content) : std::nullopt;
  named_[address] = owner;
  return owner;
}

Result<std::optional<FileOwner>> AddressOwners::living_owner(const IpAddress& address) {
  HOLDFAST_TRY(const Binding* living, living_binding(address));
  if (living != nullptr) {
    return FileOwner{living->container_id, living->key.ifname};
  }
  for (const CachedAttachment& cached : scene_.results.all_of(scene_.network).attachments) {
    if (std::ranges::find(cached.addresses, address) != cached.addresses.end()) {
      HOLDFAST_TRY(const OwnerState state, state_by_link(cached.host_link));
      if (state == OwnerState::kAlive) {
        return FileOwner{cached.attachment.container_id, cached.attachment.ifname};
      }
    }
  }
  return std::nullopt;
}

const Binding* AddressOwners::binding_of(const FileOwner& owner) const {
  const Binding* latest = nullptr;  // an id may be given again, to another pod
  for (const Binding& binding : scene_.bindings) {
    if (binding.container_id.empty() || !owner.is(binding.container_id, binding.key.ifname)) {
      continue;
    }
    if (latest == nullptr || latest->sequence < binding.sequence) {
      latest = &binding;
    }
  }
  return latest;
}

Result<OwnerState> AddressOwners::state_of(const FileOwner& owner, const IpAddress& address) {
  if (const Binding* binding = binding_of(owner)) {
    HOLDFAST_TRY(const OwnerState state, state_by_binding(*binding));
    if (state != OwnerState::kUnknown) {
      return state;
    }
  }
  const std::string ifname = owner.ifname.empty() ? std::string(kUsualIfname) : owner.ifname;
  if (const auto cached = scene_.results.find({scene_.network, owner.container_id, ifname})) {
    return state_by_link(cached->host_link);
  }
  const bool from_earlier_boot = std::ranges::any_of(scene_.bindings, [&](const Binding& binding) {
    return names(binding, address) && !binding.boot_id.empty() && binding.boot_id != scene_.boot_id;
  });
  return from_earlier_boot ? OwnerState::kDead : OwnerState::kUnknown;
}

Result<OwnerState> AddressOwners::state_by_binding(const Binding& binding) {
  if (!binding.boot_id.empty() && binding.boot_id != scene_.boot_id) {
    return OwnerState::kDead;
  }
  HOLDFAST_TRY(const OwnerState state, state_by_link(binding.host_link));
  const bool may_be_under_way = is_present(binding, scene_.boot_id) && binding.uptime.count() >= 0 &&
                                scene_.uptime - binding.uptime < StickyIpam::kAddMayTake;
  return state == OwnerState::kDead && may_be_under_way ? OwnerState::kAlive : state;
}

Result<OwnerState> AddressOwners::state_by_link(const std::string& link) {
  if (link.empty()) {
    return OwnerState::kUnknown;
  }
  HOLDFAST_TRY(const bool exists, scene_.machine.link_exists(link));
  return exists ? OwnerState::kAlive : OwnerState::kDead;
}

Result<const Binding*> AddressOwners::living_binding(const IpAddress& address) {
  for (const Binding& binding : scene_.bindings) {
    if (is_present(binding, scene_.boot_id) && names(binding, address)) {
      HOLDFAST_TRY(const OwnerState state, state_by_binding(binding));
      if (state == OwnerState::kAlive) {
        return &binding;
      }
    }
  }
  return nullptr;
}

}  // namespace holdfast::flannel
