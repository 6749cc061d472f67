#include "common/netlink/socket.h"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "common/netlink/netns.h"
#include "common/netlink/receive.h"
#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
constexpr int kReceiveQueueBytes = 1 << 20;
constexpr int kDumpAttempts = 10;
// Even if every request of a batch is refused, the answers (up to 1.3 KB of kernel memory each) must fit in a
// receive queue of the default 212,992 bytes: the kernel throws away what does not.
constexpr std::size_t kBatchRequests = 128;
// The kernel refuses a send of more than the send queue, 212,992 bytes by default. What must go together and
// is longer has the queue made longer.
constexpr std::size_t kBatchBytes = 64 * 1024;

void set_option(int fd, int level, int option, int value) {
  // Each is an improvement that an old kernel may lack; what depends on it is checked where it matters.
  static_cast<void>(::setsockopt(fd, level, option, &value, sizeof value));
}

/// The kernel's verdict on one request.
struct Verdict {
  int sys_errno = 0;         // 0: done
  std::string extended_ack;  // the kernel's sentence; often empty
};

std::string extended_ack(const nlmsghdr* message, std::size_t skip) {
  if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  return std::string(Attributes(message, skip).text(NLMSGERR_ATTR_MSG));
}

/// Of an NLMSG_ERROR message.
Verdict verdict_of(const nlmsghdr* message) {
  const auto* answer = header_of<nlmsgerr>(message);
  if (answer == nullptr) return {EBADMSG, {}};
  std::size_t skip = sizeof *answer;
  const bool echoes_request = answer->error != 0 && (message->nlmsg_flags & NLM_F_CAPPED) == 0;
  if (echoes_request) skip += NLMSG_ALIGN(answer->msg.nlmsg_len) - sizeof answer->msg;
  return {-answer->error, extended_ack(message, skip)};
}

/// Of an NLMSG_DONE message, which carries the dump's errno.
Verdict verdict_of_dump(const nlmsghdr* message) {
  const auto* result = header_of<int>(message);
  return {result == nullptr ? 0 : -*result, extended_ack(message, sizeof(int))};
}

Status to_status(const Verdict& verdict, const std::string& what, const std::vector<int>& tolerated) {
  if (verdict.sys_errno == 0 || std::ranges::count(tolerated, verdict.sys_errno) > 0) return {};
  if (verdict.extended_ack.empty()) return fail_errno(verdict.sys_errno, what);
  return fail_errno(verdict.sys_errno, what + " (" + verdict.extended_ack + ")");
}

Status send_bytes(int fd, const void* bytes, std::size_t size) {
  for (;;) {
    const ssize_t sent = ::send(fd, bytes, size, 0);
    if (sent >= 0) return {};
    if (errno != EINTR) return fail_errno(errno, "send to netlink");
  }
}

int number_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kRoute:
      return NETLINK_ROUTE;
    case Protocol::kNetfilter:
      return NETLINK_NETFILTER;
    case Protocol::kGeneric:
      return NETLINK_GENERIC;
  }
  std::terminate();
}

Result<Fd> open_socket(Protocol protocol) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, number_of(protocol)));
  if (!fd.valid()) return fail_errno(errno, "open netlink socket");
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) != 0) {
    return fail_errno(errno, "limit waiting on netlink socket");
  }
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kReceiveQueueBytes);
  set_option(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set_option(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1);
  if (protocol == Protocol::kRoute) set_option(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  return fd;
}

}  // namespace

Reply::Reply(const nlmsghdr* message) : bytes_(message->nlmsg_len) {
  std::memcpy(bytes_.data(), message, bytes_.size());
}

const nlmsghdr* Reply::header() const { return reinterpret_cast<const nlmsghdr*>(bytes_.data()); }

Socket::Socket(Fd fd) : fd_(std::move(fd)), buffer_(new std::byte[kReceiveBytes]) {}

Result<Socket> Socket::open(Protocol protocol) {
  HOLDFAST_TRY(Fd fd, open_socket(protocol));
  return Socket(std::move(fd));
}

Result<Socket> Socket::open_in(int netns_fd, Protocol protocol) {
  return in_netns(netns_fd, [protocol] { return open(protocol); });
}

Status Socket::receive_until(const Handler& handle) {
  for (;;) {
    HOLDFAST_TRY(const std::span<std::byte> block, receive_messages(fd_.get(), buffer_.get()));
    bool last = false;
    for_each_message(block, [&](const nlmsghdr* message) { last = last || handle(message); });
    if (last) return {};
  }
}

Status Socket::ask(Request& request, int flags, const Handler& handle) {
  if (!request.message_) return tl::unexpected(request.refused_);
  nlmsghdr* header = nlmsg_hdr(request.message_.get());
  header->nlmsg_seq = ++sequence_;
  header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | NLM_F_REQUEST | flags);
  Status sent = send_bytes(fd_.get(), header, header->nlmsg_len);
  if (sent) {
    sent = receive_until(
        [&](const nlmsghdr* message) { return message->nlmsg_seq == sequence_ && handle(message); });
  }
  if (!sent) return tl::unexpected(std::move(sent).error().within(request.what_));
  return {};
}

Result<std::optional<Reply>> Socket::get(Request request) {
  Verdict verdict;
  std::optional<Reply> reply;
  HOLDFAST_CHECK(ask(request, 0, [&](const nlmsghdr* message) {
    if (message->nlmsg_type == NLMSG_ERROR) {
      verdict = verdict_of(message);
    } else {
      reply.emplace(message);
    }
    return true;
  }));
  HOLDFAST_CHECK(to_status(verdict, request.what_, request.tolerated_));
  return reply;
}

Result<std::optional<Reply>> Socket::run_echoed(Request request) {
  Verdict verdict;
  std::optional<Reply> reply;
  HOLDFAST_CHECK(ask(request, NLM_F_ECHO | NLM_F_ACK, [&](const nlmsghdr* message) {
    if (message->nlmsg_type != NLMSG_ERROR) {
      reply.emplace(message);
      return false;
    }
    verdict = verdict_of(message);
    return true;
  }));
  HOLDFAST_CHECK(to_status(verdict, request.what_, request.tolerated_));
  return reply;
}

Status Socket::dump(Request request, const std::function<void()>& restart,
                    const std::function<void(const nlmsghdr*)>& each) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    Verdict verdict;
    bool interrupted = false;
    restart();
    HOLDFAST_CHECK(ask(request, NLM_F_DUMP, [&](const nlmsghdr* message) {
      interrupted = interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        verdict = verdict_of(message);
        return true;
      }
      if (message->nlmsg_type == NLMSG_DONE) {
        verdict = verdict_of_dump(message);
        return true;
      }
      each(message);
      return false;
    }));
    HOLDFAST_CHECK(to_status(verdict, request.what_, request.tolerated_));
    if (!interrupted) return {};
  }
  return fail(Code::kAborted, request.what_ + ": the table changed during each of " +
                                  std::to_string(kDumpAttempts) + " attempts to read it");
}

Status Socket::exchange(std::span<Request> requests, std::size_t awaited, std::span<Status> results) {
  const std::uint32_t first = sequence_ + 1;
  std::vector<std::byte> out;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    ++sequence_;
    if (!requests[i].message_) continue;
    nlmsghdr* header = nlmsg_hdr(requests[i].message_.get());
    header->nlmsg_seq = sequence_;
    // The kernel answers a refused request unasked, so one acknowledgement at the end says that all are
    // through.
    header->nlmsg_flags =
        static_cast<std::uint16_t>(header->nlmsg_flags | NLM_F_REQUEST | (i == awaited ? NLM_F_ACK : 0));
    const auto* bytes = reinterpret_cast<const std::byte*>(header);
    out.insert(out.end(), bytes, bytes + header->nlmsg_len);
  }
  if (out.size() > kBatchBytes)
    set_option(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, static_cast<int>(out.size()));
  HOLDFAST_CHECK(send_bytes(fd_.get(), out.data(), out.size()));
  return receive_until([&](const nlmsghdr* message) {
    const std::size_t at = message->nlmsg_seq - first;
    if (message->nlmsg_type != NLMSG_ERROR || at >= requests.size()) return false;
    const Verdict verdict = verdict_of(message);
    results[at] = to_status(verdict, requests[at].what_, requests[at].tolerated_);
    // A transaction whose opening bracket is refused was not looked at further.
    const bool transaction_refused = at == 0 && awaited + 1 < requests.size() && verdict.sys_errno != 0;
    return at == awaited || transaction_refused;
  });
}

Status Socket::run(Request request) { return run_whole({&request, 1}); }

Status Socket::run_whole(std::span<Request> requests) {
  for (Status& status : run_all(requests)) {
    HOLDFAST_CHECK(std::move(status));
  }
  return {};
}

std::vector<Status> Socket::run_all(std::span<Request> requests) {
  std::vector<Status> results(requests.size());
  std::size_t begin = 0;
  while (begin < requests.size()) {
    std::size_t end = begin;
    std::size_t last = requests.size();  // of those that can be sent
    std::size_t bytes = 0;
    for (; end < requests.size() && end - begin < kBatchRequests && bytes < kBatchBytes; ++end) {
      const Request& request = requests[end];
      if (request.message_) {
        last = end;
        bytes += nlmsg_hdr(request.message_.get())->nlmsg_len;
      } else {
        results[end] = tl::unexpected(request.refused_);
      }
    }
    if (last < end) {
      const std::span<Request> batch = requests.subspan(begin, end - begin);
      const Status done = exchange(batch, last - begin, std::span(results).subspan(begin, batch.size()));
      for (std::size_t i = begin; !done && i < end; ++i) {
        if (results[i]) results[i] = tl::unexpected(Error(done.error()).within(requests[i].what_));
      }
    }
    begin = end;
  }
  return results;
}

Status Socket::run_transaction(std::span<Request> requests) {
  for (const Request& request : requests) {
    if (!request.message_) return tl::unexpected(request.refused_);
  }
  std::vector<Status> results(requests.size());
  // The closing bracket is not acknowledged by kernels before 6.10: the last request inside it is what we
  // wait for.
  if (Status done = exchange(requests, requests.size() - 2, results); !done) {
    return tl::unexpected(std::move(done).error().within(requests.front().what_));
  }
  for (Status& status : results) {
    HOLDFAST_CHECK(std::move(status));
  }
  return {};
}

}  // namespace holdfast::nl
