#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/ipam/allocator.h"
#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/sticky_ipam.h"

namespace holdfast::flannel {

// What a change of the network adds to the binding log. Pure: nothing here reads or writes.

/// When a change happens, as its records tell.
struct Moment {
  std::string boot_id;
  std::chrono::sys_seconds wall_time;
  std::chrono::seconds uptime{0};
};

/// Who asks; unset for a request without pod, which has no binding.
[[nodiscard]] std::optional<PodKey> key_of(const AllocationRequest& request);

/// The binding of that pod, or null.
[[nodiscard]] const Binding* find_binding(const std::vector<Binding>& bindings, const PodKey& key);

/// The binding as it is when its sandbox has gone.
[[nodiscard]] Binding marked_absent(Binding binding, const Moment& moment);

/// What an allocation changes: bindings that end with the decision; with a binding_ttl those of an earlier
/// boot, whose age counts from the first time that they are known to be absent; and the pod's own one, last.
[[nodiscard]] std::vector<Binding> records_of_allocation(const std::vector<Binding>& bindings,
                                                         const IpamConfig& config,
                                                         const AllocationRequest& request,
                                                         const Decision& decision, const Moment& moment);

/// What a GC changes: the sandboxes of `bindings` that hold, but for those of `valid`, have gone.
[[nodiscard]] std::vector<Binding> records_of_collection(const std::vector<Binding>& bindings,
                                                         const IpamConfig& config,
                                                         const std::vector<Attachment>& valid,
                                                         const Moment& moment);

/// The records that, after `records`, bring the log back to what `bindings` say.
[[nodiscard]] std::vector<Binding> undo_of(const std::vector<Binding>& records,
                                           const std::vector<Binding>& bindings);

/// "default/web-0 (eth0) 10.244.3.7", for the log.
[[nodiscard]] std::string describe(const Binding& binding);

}  // namespace holdfast::flannel
