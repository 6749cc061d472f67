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

enum class Protocol : std::uint8_t { kRoute, kNetfilter, kGeneric };

/// One message from the kernel, kept. Starts with its nlmsghdr.
class Reply {
 public:
  explicit Reply(const nlmsghdr* message);
  [[nodiscard]] const nlmsghdr* header() const;

 private:
  std::vector<std::byte> bytes_;
};

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

  // For the parsers of this folder:

  /// The one message that answers a get, or nullopt when the kernel's answer is an errno the request
  /// tolerates.
  Result<std::optional<Reply>> get(Request request);
  /// The message that the kernel echoes for a change (NLM_F_ECHO), or nullopt from a kernel that echoes
  /// nothing for this kind of request.
  Result<std::optional<Reply>> run_echoed(Request request);
  /// Runs a dump and hands every message to `each`. When the tables changed underneath (NLM_F_DUMP_INTR) all
  /// is asked for again; `restart` is called before each attempt and must forget what was collected. An errno
  /// the request tolerates is an empty dump. Errors: kAborted after ten interrupted attempts.
  Status dump(Request request, const std::function<void()>& restart,
              const std::function<void(const nlmsghdr*)>& each);
  /// For nf_tables: all requests in one system call, the first and last of them being the transaction's
  /// brackets. Errors: the first request that was refused; a transaction the kernel cannot take at all is the
  /// first bracket's.
  Status run_transaction(std::span<Request> requests);

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  using Handler = std::function<bool(const nlmsghdr*)>;  // true: that was the last message

  explicit Socket(Fd fd);

  /// Sends one request; hands on the messages that answer it.
  Status ask(Request& request, int flags, const Handler& handle);
  /// Sends `requests` together; waits for the answer to number `awaited`.
  Status exchange(std::span<Request> requests, std::size_t awaited, std::span<Status> results);
  Status receive_until(const Handler& handle);

  Fd fd_;
  std::uint32_t sequence_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace holdfast::nl
