#include "cni-flannel/inspect/reach_findings.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cni-flannel/daemon/checksum_probe.h"
#include "cni-flannel/daemon/echo_prober.h"
#include "common/base/socket_address.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using Kind = EchoAnswer::Kind;

constexpr auto kPatience = 1s;
constexpr auto kDeadline = 3s;
constexpr auto kTurn = 50ms;

/// What is asked of one peer, and what has come back.
struct Asked {
  const WantedPeer* peer = nullptr;
  std::optional<EchoAnswer> through;  ///< the tunnel
  std::optional<EchoAnswer> beside;
  std::optional<EchoAnswer> large;  ///< beside it
  Fd port;                          ///< connected to the tunnel's port there
  bool refused = false;
};

/// One family's questions.
class Inquiry {
 public:
  Inquiry(EventLoop& loop, EchoProber& prober, const OverlayReport& overlay, const FamilyReport& family)
      : loop_(loop), prober_(prober), overlay_(overlay), family_(family) {}

  void ask() {
    for (const PeerReport& peer : family_.peers) {
      if (peer.peer.direct_link != 0 || asked_.size() == kMostPeersAsked) continue;
      asked_.push_back({&peer.peer, {}, {}, {}, {}, false});
      ask(asked_.back());
    }
    if (asked_.empty()) return;
    auto probe = ChecksumProbe::begin(loop_, family_.own.subnet.first(), asked_[0].peer->end.subnet.first(),
                                      [this](const ChecksumAnswers& answers) { checksums_ = answers; });
    if (probe) {
      probe_ = *std::move(probe);
    } else {
      checksums_.emplace();
    }
  }
  [[nodiscard]] bool ended() const {
    return std::ranges::all_of(asked_, [](const Asked& a) { return a.through && a.beside && a.large; }) &&
           (asked_.empty() || checksums_);
  }
  void tell(std::vector<Finding>& out);

 private:
  void ask(Asked& asked);
  void echo(const IpAddress& from, const IpAddress& to, std::uint32_t bytes,
            std::optional<EchoAnswer>& answer) {
    prober_.ask({from, to, bytes}, kPatience, [&answer](const EchoAnswer& told) { answer = told; });
  }
  [[nodiscard]] Finding reach(Asked& asked) const;
  void tell_large(const Asked& asked, std::vector<Finding>& out) const;
  void tell_checksums(std::vector<Finding>& out) const;

  EventLoop& loop_;
  EchoProber& prober_;
  const OverlayReport& overlay_;
  const FamilyReport& family_;
  std::deque<Asked> asked_;  // answers are written to where they are
  std::unique_ptr<ChecksumProbe> probe_;
  std::optional<ChecksumAnswers> checksums_;
};

void Inquiry::ask(Asked& asked) {
  const PeerEnd& end = asked.peer->end;
  echo(family_.own.subnet.first(), end.subnet.first(), kSmallestEcho, asked.through);
  echo(family_.local, end.public_address, kSmallestEcho, asked.beside);
  echo(family_.local, end.public_address, family_.largest, asked.large);
  asked.port = Fd(::socket(end.public_address.is_v4() ? AF_INET : AF_INET6,
                           SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const SocketAddress to = to_socket_address(end.public_address, overlay_.conf.vxlan.port);
  // all zero is no VXLAN header: a device that is there drops it
  if (::connect(asked.port.get(), to.get(), to.size) == 0) {
    static_cast<void>(::send(asked.port.get(), "\0\0\0\0\0\0\0\0", 8, 0));
  }
}

Finding Inquiry::reach(Asked& asked) const {
  const std::string port = "UDP " + std::to_string(overlay_.conf.vxlan.port);
  const std::string host = asked.peer->end.public_address.to_string();
  const std::string what = "tunnel to " + asked.peer->node;
  char byte = 0;
  asked.refused = ::recv(asked.port.get(), &byte, 1, 0) < 0 && errno == ECONNREFUSED;
  if (asked.through->kind == Kind::kAnswered) return {Verdict::kWell, what, port + " passes both ways"};
  if (asked.refused) {
    return {Verdict::kWrong, what,
            "nobody listens on " + port + " at " + host +
                ": flanneld has never run there since its start, or its "
                "device is gone"};
  }
  if (asked.beside->kind == Kind::kAnswered) {
    return {Verdict::kWrong, what,
            host + " answers, but not through the tunnel: " + port +
                " is blocked on the way (firewall, security "
                "group), or " +
                asked.peer->node + " does not know this node: there, holdfast explain " + overlay_.own->node};
  }
  return {Verdict::kDoubtful, what, host + " answers nothing: it is off, or ICMP is blocked"};
}

void Inquiry::tell_large(const Asked& asked, std::vector<Finding>& out) const {
  if (asked.beside->kind != Kind::kAnswered || asked.large->kind == Kind::kAnswered) return;
  const std::string told =
      asked.large->mtu == 0 ? "" : "; a router there takes " + std::to_string(asked.large->mtu) + " bytes";
  out.push_back({Verdict::kWrong, "path MTU to " + asked.peer->node,
                 "packets of " + std::to_string(family_.largest) +
                     " bytes, as the tunnel sends them, do not get "
                     "to " +
                     asked.peer->end.public_address.to_string() + told +
                     ": set Backend.MTU in net-conf.json of all nodes"});
}

void Inquiry::tell_checksums(std::vector<Finding>& out) const {
  const std::string what = "checksums by " + family_.device;
  if (!checksums_->computed) return;  // nothing is known
  if (checksums_->offloaded) return out.push_back({Verdict::kWell, what, "arrive right"});
  out.push_back(
      {Verdict::kWrong, what,
       "what is left to the hardware arrives wrong at " + asked_[0].peer->node +
           ", so TCP and UDP of this host fail there: ethtool -K " + family_.device +
           " tx-checksum-ip-generic off (flanneld does it when it runs with --checksum-offload=test)"});
}

void Inquiry::tell(std::vector<Finding>& out) {
  for (Asked& asked : asked_) {
    out.push_back(reach(asked));
    tell_large(asked, out);
  }
  if (!asked_.empty()) tell_checksums(out);
}

Status ask_family(Clock& clock, const OverlayReport& overlay, const FamilyReport& family,
                  std::vector<Finding>& out) {
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  HOLDFAST_TRY(const std::unique_ptr<EchoProber> prober, EchoProber::create(*loop, family.family));
  Inquiry inquiry(*loop, *prober, overlay, family);
  inquiry.ask();
  const auto deadline = clock.since_boot() + kDeadline;
  while (!inquiry.ended() && clock.since_boot() < deadline) HOLDFAST_CHECK(loop->turn(kTurn));
  if (!inquiry.ended()) return fail(Code::kDeadlineExceeded, "the peers were not asked in time");
  inquiry.tell(out);
  return {};
}

}  // namespace

std::vector<Finding> reach_findings(Clock& clock, const OverlayReport& overlay) {
  std::vector<Finding> out;
  for (const FamilyReport& family : overlay.families) {
    if (!family.trouble.empty() || family.largest == 0) continue;
    const Status done = ask_family(clock, overlay, family, out);
    if (!done) out.push_back({Verdict::kDoubtful, "tunnels by " + family.device, done.error().message});
  }
  return out;
}

}  // namespace holdfast::flannel
