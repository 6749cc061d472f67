#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/netlink/request.h"

struct nlmsghdr;

namespace holdfast::nl {

enum class Protocol : std::uint8_t { kRoute, kNetfilter };

/// A netlink socket that keeps the kernel's own errno and its extended-ack sentence in the Error:
/// "put route 10.42.1.0/24 (Nexthop has invalid gateway): Network is unreachable".
///
/// It belongs to the network namespace it was opened in, for ever, whatever thread uses it. Not thread-safe.
/// Every call ends: without an answer for 5 s it fails with kDeadlineExceeded. An answer that comes later is
/// recognised by its sequence number and dropped.
///
/// Source: netlink(7), rtnetlink(7); Documentation/userspace-api/netlink/intro.rst (NETLINK_EXT_ACK,
/// NETLINK_GET_STRICT_CHK, NLM_F_DUMP_INTR).
class Socket {
 public:
  static Result<Socket> open(Protocol protocol = Protocol::kRoute);
  /// A socket of the namespace `netns_fd` refers to; the calling thread stays where it is.
  static Result<Socket> open_in(int netns_fd, Protocol protocol = Protocol::kRoute);

  /// Sends one request and waits for its answer.
  Status run(Request request);

  /// Sends the requests with as few system calls as they fit in (one for up to 128) and returns one Status
  /// each, in the same order. The kernel works through all of them: one that is refused does not stop those
  /// after it.
  std::vector<Status> run_all(std::span<Request> requests);
  /// The same where only the whole counts: the first error, or success. What was done beside it stays done.
  Status run_whole(std::span<Request> requests);

  /// For the parsers of this folder: the one message that answers a get, or nullopt when the kernel says
  /// `absent_errno`. The copy lives as long as the returned buffer.
  struct Reply {
    std::vector<std::byte> bytes;
    [[nodiscard]] const nlmsghdr* header() const;
  };
  Result<std::optional<Reply>> get(Request request, int absent_errno);
  /// Runs a dump and hands every message to `each`. When the tables change underneath (NLM_F_DUMP_INTR)
  /// everything is asked for again: `restart` is called before each attempt and must forget what was
  /// collected. Errors: kAborted after ten interrupted attempts.
  Status dump(Request request, const std::function<void()>& restart,
              const std::function<void(const nlmsghdr*)>& each);
  /// Sends a request with NLM_F_ECHO; returns the message that the kernel echoes, or nullopt from a kernel
  /// that echoes nothing for this kind of request.
  Result<std::optional<Reply>> run_echo(Request request);
  /// run_all without splitting, for nf_tables transactions, whose messages must arrive together.
  std::vector<Status> run_together(std::span<Request> requests);

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Socket(Fd fd);

  Fd fd_;
  std::uint32_t sequence_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace holdfast::nl
