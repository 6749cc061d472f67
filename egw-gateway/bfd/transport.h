#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "egw-gateway/bfd/packet.h"

namespace holdfast::bfd {

/// Single hop: RFC 5881, UDP port 3784. Multihop: RFC 5883, UDP port 4784.
enum class Hops : std::uint8_t { kSingle, kMulti };

inline constexpr std::uint16_t kSingleHopPort = 3784;
inline constexpr std::uint16_t kMultihopPort = 4784;
/// All packets are sent with it. Over a single hop, one that comes with less came from further away: RFC 5881
/// section 5.
inline constexpr std::uint8_t kTtl = 255;

/// The path between the two ends of a session, which also tells it from others. A packet is taken only from
/// `peer`, to `local`, and by `interface` where that is given.
struct Path {
  Hops hops = Hops::kSingle;
  IpAddress local;
  IpAddress peer;     ///< of the same family
  int interface = 0;  ///< index; 0: any. An IPv6 link-local peer has one

  auto operator<=>(const Path&) const = default;
  bool operator==(const Path&) const = default;
};

/// A datagram that came.
struct Incoming {
  Path path;  ///< with the interface by which it came
  std::uint8_t ttl = 0;
  std::span<const std::uint8_t> payload;  ///< its first 256 bytes, more than a BFD packet can have
};

struct Outgoing {
  Path path;
  WirePacket packet;
};

struct Sent {
  std::size_t refused = 0;  ///< by the kernel; they are lost, as they might be on the way
  int sys_errno = 0;        ///< of the last of those
};

/// Datagrams of BFD, in and out, all by a few system calls. Nothing blocks.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Makes ready for paths of this kind. Again: does nothing. Errors: kFailedPrecondition when another
  /// program has the port; errno.
  virtual Status open(Hops hops, IpFamily family) = 0;
  /// Only on paths of kinds that are open.
  virtual Sent send(std::span<const Outgoing> packets) = 0;
  /// Calls `take` with each of those that have come; of a flood with some hundreds, the others the next time.
  virtual void receive(const std::function<void(const Incoming&)>& take) = 0;
  /// `readable` is called, from the event loop, when there is something to receive.
  virtual void on_readable(std::function<void()> readable) = 0;
};

}  // namespace holdfast::bfd
