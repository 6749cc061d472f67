#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/neighbour.h"
#include "common/netlink/route.h"

namespace holdfast::flannel {

/// An entry of one of the three tables that send a pod's packet to another node.
using ForwardingEntry = std::variant<nl::Neighbour, nl::FdbEntry, nl::Route>;

struct ForwardingChange {
  enum class Act : std::uint8_t { kPut, kDrop };
  Act act = Act::kPut;
  ForwardingEntry entry;

  bool operator==(const ForwardingChange&) const = default;
};

/// "route 10.244.3.0/24 via 10.244.3.0", for people.
[[nodiscard]] std::string to_string(const ForwardingEntry& entry);
/// "put route 10.244.3.0/24 via 10.244.3.0", for logs and errors.
[[nodiscard]] std::string to_string(const ForwardingChange& change);

/// The kernel's tables that the overlay writes. Every change is idempotent: a put of what is there and a drop
/// of what is not succeed. A put replaces: a route that of the same destination and metric in the main table,
/// a neighbour that of the same address, an FDB entry that of the same MAC.
///
/// The fake is test/cni-flannel/daemon/fake_forwarding.h; one test holds both to this.
class Forwarding {
 public:
  Forwarding() = default;
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;
  virtual ~Forwarding() = default;

  /// The main table's, on all links. Errors: kAborted when the table changed under every attempt to read it
  /// whole; errno.
  virtual Result<std::vector<nl::Route>> routes(IpFamily family) = 0;
  virtual Result<std::vector<nl::Neighbour>> neighbours(int ifindex, IpFamily family) = 0;
  virtual Result<std::vector<nl::FdbEntry>> fdb(int ifindex) = 0;

  /// One Status a change, in the same order. One that fails does not stop those after it.
  virtual std::vector<Status> apply(std::span<const ForwardingChange> changes) = 0;
};

}  // namespace holdfast::flannel
