#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>

#include "common/base/cidr.h"
#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Which of two datagrams, sent at the same time, a host has answered.
struct ChecksumAnswers {
  bool offloaded = false;  ///< the one whose checksum was left to the devices below
  bool computed = false;   ///< the one whose checksum was in it already

  bool operator==(const ChecksumAnswers&) const = default;
};

/// Sends two UDP datagrams to a port on which nobody listens (that of traceroute). A kernel answers with
/// "port unreachable", but only where the checksum is right. So when the one is answered again and again and
/// the other never, something below computes checksums wrongly, which loses all TCP and UDP of this host to
/// pods there, while ping works. Works on the event loop; ends with the object. Needs CAP_NET_RAW.
class ChecksumProbe {
 public:
  using Done = std::function<void(const ChecksumAnswers&)>;

  static constexpr std::uint16_t kPort = 33434;
  static constexpr std::chrono::milliseconds kPatience{1000};
  /// After the first answer; or as long again as that took, if that is longer.
  static constexpr std::chrono::milliseconds kPatienceForOther{200};

  /// Both are sent when this returns. `from` is an address of ours, of the same family as `to`. `done` is
  /// called once, from the loop. Errors: errno of the calls that send.
  static Result<std::unique_ptr<ChecksumProbe>> begin(EventLoop& loop, const IpAddress& from,
                                                      const IpAddress& to, Done done);
  ChecksumProbe(const ChecksumProbe&) = delete;
  ChecksumProbe& operator=(const ChecksumProbe&) = delete;
  ~ChecksumProbe() = default;

 private:
  /// A socket that hears of the answer to one of them.
  struct Ear {
    Fd socket;
    EventLoop::Watch watch;
    bool answered = false;
  };
  ChecksumProbe(EventLoop& loop, Done done) : loop_(loop), done_(std::move(done)) {}

  Status open(Ear& ear, const IpAddress& from, const IpAddress& to);
  void told(Ear& ear);
  void end();

  EventLoop& loop_;
  Done done_;
  Ear offloaded_;
  Ear computed_;
  std::chrono::nanoseconds begun_{};
  EventLoop::Timer timer_;
};

}  // namespace holdfast::flannel
