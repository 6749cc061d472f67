#include <memory>
#include <utility>

#include "common/base/host_addresses.h"
#include "egw-gateway/helper/agent.h"
#include "egw-gateway/helper/concerns.h"
#include "egw-gateway/helper/server_addresses.h"

// The hosts that packets for the API server go to: looked up now and then.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

// Name servers tell of changes to nobody.
constexpr auto kServersTrusted = 60s;
constexpr auto kServersMissed = 5s;

}  // namespace

void Agent::exempt_servers(std::vector<std::string> hosts) {
  server_hosts_ = std::move(hosts);
  look_up_servers();
}

void Agent::look_up_servers() {
  const auto found = std::make_shared<std::vector<Result<std::vector<IpAddress>>>>();  // shared as in save()
  tools_.resolver.run(
      [hosts = server_hosts_, found] {
        for (const std::string& host : hosts) found->push_back(addresses_of_host(host));
      },
      [this, found] { servers_found(*found); });
}

void Agent::servers_found(const std::vector<Result<std::vector<IpAddress>>>& found) {
  ServerAddresses servers = server_addresses(found, servers_);
  tools_.health.set(kServerExempt, servers.trouble);
  servers_timer_ = tools_.loop.after(servers.trouble.empty() ? kServersTrusted : kServersMissed,
                                     [this] { look_up_servers(); });
  if (servers.addresses == servers_) return;
  servers_ = std::move(servers.addresses);
  round();
  if (known_ && !is_stored()) save();
}

}  // namespace holdfast::gateway
