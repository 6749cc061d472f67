#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/cidr.h"

namespace holdfast::flannel {

/// What a binding is known by, over any number of sandboxes. The network is the file's.
struct PodKey {
  std::string name_space;
  std::string name;
  std::string ifname;
  auto operator<=>(const PodKey&) const = default;
};

enum class BindingState : std::uint8_t {
  kPresent,  ///< a sandbox got the addresses; holds for that boot only
  kAbsent,   ///< its DEL or a GC has been here; the addresses stay reserved
  kEnded,    ///< the addresses are no longer the pod's
};

/// One record of the log: what a pod has, or had last.
struct Binding {
  std::uint64_t sequence = 0;  ///< order of all changes of one network; the clock has no say
  BindingState state = BindingState::kPresent;
  PodKey key;
  std::string uid;                       ///< empty when the runtime gives none
  std::string container_id;              ///< the sandbox that got the addresses last
  std::string boot_id;                   ///< boot of this record
  std::string host_link;                 ///< host end of that sandbox; empty when unknown
  std::vector<std::string> stale_links;  ///< host ends of earlier sandboxes that its ADD was told to delete
  std::vector<IpAddress> addresses;
  std::chrono::sys_seconds wall_time;  ///< of this record; for binding_ttl and people, never for order
  std::chrono::seconds uptime{0};      ///< time since boot of this record; negative: long ago (imported)

  auto operator<=>(const Binding&) const = default;
};

}  // namespace holdfast::flannel
