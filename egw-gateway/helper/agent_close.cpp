#include <utility>

#include "egw-gateway/helper/agent.h"
#include "egw-gateway/helper/kernel_routes.h"

// Closes the ranges by what is stored, before anybody was asked or heard.
namespace holdfast::gateway {

Result<HelperStore::Loaded> Agent::read_store() {
  HOLDFAST_TRY(HelperStore::Loaded loaded, tools_.store.load());
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  tools_.log.info("store read",
                  {{"path", tools_.store.path().native()}, {"known", loaded.state.has_value()}});
  return loaded;
}

void Agent::take(std::optional<HelperState> state) {
  stored_ = std::move(state);
  if (!stored_) return;
  known_ = stored_->gateway;
  listed_ = is_listed_by(*known_);
  servers_ = stored_->servers;
  networks_ = stored_->networks;
}

Status Agent::close() {
  HOLDFAST_TRY(HelperStore::Loaded loaded, read_store());
  take(std::move(loaded.state));
  return close_known();
}

Status Agent::close_at_boot() {
  HOLDFAST_TRY(HelperStore::Loaded loaded, read_store());
  const bool ours = loaded.state.has_value();
  take(ours ? std::move(loaded.state) : std::move(loaded.foreign));
  if (!ours) networks_.clear();  // of another node's links
  if (!known_ && !loaded.ranges.empty()) {
    known_ = EdgeGateway{};
    known_->vpc_cidrs = loaded.ranges;
  }
  const Status closed = close_known();
  if (known_) {
    const NodeRanges to_close = node_ranges(*known_, ranges(facts_));
    // an iptables whose modules nobody has loaded so early is no reason to call closed ranges open
    const Status put = tools_.firewall.look(rule_sets(facts_, to_close, local_ways(facts_))).done;
    if (!put) tools_.log.warning("packet-filter rules wait for egw-helper", {{"error", put.error().message}});
  }
  HOLDFAST_CHECK(closed);
  if (ours || (!known_ && loaded.notes.empty())) return {};
  const std::string why =
      loaded.notes.empty() ? "there is no " + tools_.store.path().native() : loaded.notes.front();
  return fail(
      Code::kFailedPrecondition,
      (known_ ? "ranges were closed, though not by this node's own store: " : "no range was closed: ") + why +
          "; an egw-helper that hears of its pool puts it right, and a node of no pool needs no such " +
          "files");
}

Status Agent::close_known() {
  if (!known_) return {};
  // the links may not be there, and nobody was heard
  HOLDFAST_TRY(facts_, read_facts(tools_.socket, options_.links));
  choice_.active = gateway_in_use(known_->gateways, facts_, options_.links);
  choice_.last = choice_.active;
  const Gateway* in_use = gateway(choice_.active);
  const NextHops active = in_use == nullptr ? NextHops{} : ways_to(*in_use, facts_, options_.links);
  wanted_ = routes_wanted(node_ranges(*known_, ranges(facts_)), active, local_ways(facts_), options_.links);
  HOLDFAST_CHECK(apply_routes(tools_.socket, plan_routes(wanted_, facts_)));
  closed_ = true;
  tools_.log.info("ranges closed by the store",
                  {{"ranges", wanted_.routes.size()}, {"gateway", shown(choice_.active)}});
  return {};
}

}  // namespace holdfast::gateway
