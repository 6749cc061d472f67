#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "common/base/cidr.h"
#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// One ICMP echo request.
struct EchoQuestion {
  IpAddress from;                  ///< of this node
  IpAddress to;                    ///< of the same family
  std::uint32_t packet_bytes = 0;  ///< with the IP header; less than kSmallestEcho counts as that
};

inline constexpr std::uint32_t kSmallestEcho = 64;

struct EchoAnswer {
  enum class Kind : std::uint8_t {
    kAnswered,
    kTooBig,       ///< somebody on the way, or we ourselves, cannot send so much at once
    kUnreachable,  ///< somebody on the way says that there is no way
    kSilent,
  };
  Kind kind = Kind::kSilent;
  std::uint32_t mtu = 0;  ///< of kTooBig: what fits there, in bytes; 0: not told

  bool operator==(const EchoAnswer&) const = default;
};

/// Sends echo requests that may not be fragmented, whatever the kernel has learned of the way's MTU, and
/// tells what comes of them. Works on the event loop and never blocks. Needs CAP_NET_RAW. One family each.
class EchoProber {
 public:
  using Done = std::function<void(const EchoAnswer&)>;

  /// `loop` outlives it. Errors: errno of socket(2), setsockopt(2).
  static Result<std::unique_ptr<EchoProber>> create(EventLoop& loop, IpFamily family);
  EchoProber(const EchoProber&) = delete;
  EchoProber& operator=(const EchoProber&) = delete;
  ~EchoProber() = default;

  /// Calls `done` once, from the event loop, after `patience` at the latest.
  void ask(const EchoQuestion& question, std::chrono::nanoseconds patience, Done done);

 private:
  struct Pending {
    IpAddress to;
    Done done;
    EventLoop::Timer timer;
  };
  EchoProber(EventLoop& loop, IpFamily family, Fd socket, std::uint16_t id);

  [[nodiscard]] EchoAnswer send(const EchoQuestion& question, std::uint16_t number) const;
  void read_answers();
  void read_errors();
  void answered(std::uint16_t number, const EchoAnswer& answer);

  EventLoop& loop_;
  IpFamily family_;
  Fd socket_;
  std::uint16_t id_;  // of our requests, among those of other programs
  std::uint16_t last_number_ = 0;
  std::map<std::uint16_t, Pending> pending_;
  EventLoop::Watch watch_;
};

}  // namespace holdfast::flannel
