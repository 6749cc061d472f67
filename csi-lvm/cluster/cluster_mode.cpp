#include "csi-lvm/cluster/cluster_mode.h"

#include <utility>

namespace holdfast::lvm {
namespace {

constexpr const char* kLease = "csi-lvm-controller";

kube::LeaderOptions lease_of(const ClusterMode::Options& options) {
  kube::LeaderOptions out;
  out.name_space = options.name_space;
  out.name = kLease;
  out.identity = options.identity;
  return out;
}

ClusterState::Options state_of(const ClusterMode::Options& options) {
  ClusterState::Options out = options.state;
  out.seed = options.seed;
  return out;
}

}  // namespace

ClusterMode::ClusterMode(const Context& context, const Options& options)
    : state_(context.loop, context.http, context.log, state_of(options)),
      volumes_({.loop = context.loop, .client = context.client, .state = state_}),
      controller_({.loop = context.loop, .state = state_, .volumes = volumes_}, options.topology_key),
      publisher_({.loop = context.loop,
                  .http = context.http,
                  .client = context.client,
                  .state = state_,
                  .log = context.log},
                 {.driver = options.driver,
                  .topology_key = options.topology_key,
                  .name_space = options.name_space,
                  .seed = options.seed + 10}),
      election_(context.loop, context.client, lease_of(options),
                {.started = [this] { publisher_.lead(true); },
                 .stopped = [this] { publisher_.lead(false); },
                 .trouble =
                     [&log = context.log](const Error& error) {
                       log.warning("leader election", {{"why", error.message}});
                     }},
                options.seed + 20) {}

void ClusterMode::start() {
  state_.start();
  publisher_.start();
  election_.start();
}

void ClusterMode::stop(std::function<void()> done) {
  volumes_.end();
  election_.resign(std::move(done));
}

}  // namespace holdfast::lvm
