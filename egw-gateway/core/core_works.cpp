#include "egw-gateway/core/core_works.h"

#include <string>
#include <utility>
#include <vector>

#include "common/netlink/sysctl.h"
#include "egw-gateway/core/core_plan.h"

namespace holdfast::gateway {
namespace {

std::vector<IpFamily> kernels_families() {
  std::vector<IpFamily> out{IpFamily::kV4};
  if (nl::get_sysctl("net/ipv6/conf/all/forwarding")) out.push_back(IpFamily::kV6);
  return out;
}

std::vector<std::string> links_of(const std::vector<Tunnel>& tunnels) {
  std::vector<std::string> out;
  out.reserve(tunnels.size());
  for (const Tunnel& tunnel : tunnels) out.push_back(tunnel.link);
  return out;
}

}  // namespace

CoreWorks::CoreWorks(const Tools& tools, firewall::BackEnd back_end, std::chrono::nanoseconds resync,
                     nl::Socket socket)
    : tools_(tools),
      back_end_(back_end),
      resync_(resync),
      families_(kernels_families()),
      tunnels_(tools_.wireguard, std::move(socket), kTunnelPrefix) {}

std::vector<firewall::RuleSet> CoreWorks::sets() const {
  std::vector<firewall::RuleSet> out;
  for (const IpFamily family : families_) out.push_back(reachability_rules({}, family).set);
  return out;
}

Status CoreWorks::choose() {
  if (rules_) return {};
  HOLDFAST_TRY(firewall_, firewall::choose_firewall(back_end_, tools_.executor, sets()));
  rules_.emplace(*firewall_->firewall, families_);
  return {};
}

/// Looks at which something happened follow each other quickly.
void CoreWorks::see_forwarded() {
  const auto now = tools_.clock.since_boot();
  if (seen_forwarded_ && now - *seen_forwarded_ < resync_ / 2) return;
  seen_forwarded_ = now;
  firewall::Forwarded seen = firewall::see_forwarded(back_end_, tools_.executor, sets(), *firewall_);
  forwarded_ = std::move(seen.done);
  if (!seen.is_another) return;
  rules_->use(*firewall_->firewall);
  cleaned_ = false;
}

/// What stands forwards meanwhile: the other back end's rules go when ours are there.
Status CoreWorks::clean_others() {
  if (cleaned_) return {};
  HOLDFAST_CHECK(firewall::clean_others(*firewall_, sets()));
  cleaned_ = true;
  return {};
}

CoreWorks::Look CoreWorks::look(const Wanted& wanted) {
  Look out;
  out.rules.done = choose();
  if (out.rules.done) {
    see_forwarded();
    out.rules = rules_->look(wanted.reachability);
  }
  out.forwarded = forwarded_;
  if (out.rules.done) out.rules.done = clean_others();
  ruled_ = ruled_ || out.rules.done.has_value();
  if (ruled_) {
    out.tunnels = wanted.has_key ? tunnels_.look(wanted.tunnels) : tunnels_.see(links_of(wanted.tunnels));
  } else {
    out.tunnels.done = fail(Code::kFailedPrecondition, "no tunnel is made before the rules stand");
  }
  return out;
}

}  // namespace holdfast::gateway
