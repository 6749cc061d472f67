#include "egw-gateway/inspect/gateway_report.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/read_only_files.h"
#include "common/netlink/link.h"
#include "egw-gateway/helper/kernel_routes.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::string_view kProgram = "egw-helper";

std::string metrics_of(Clock& clock, const http::ListenAddress& place) {
  const Result<WebPage> page = ask_page(clock, place, "/metrics");
  return page && page->status == 200 ? page->body : "";
}

void ask_helper(Clock& clock, GatewayReport& report) {
  HelperRun& helper = *report.helper;
  if (!helper.options) {
    helper.page.silence = "what it was told cannot be read, so neither can it be asked";
    return;
  }
  if (helper.options->healthz.port == 0) {
    helper.page.silence = "it tells how it fares only when it is started with --healthz";
    return;
  }
  helper.page = ask_conditions(clock, helper.options->healthz);
  if (!helper.page.silence.empty()) return;
  const std::string metrics = metrics_of(clock, helper.options->healthz);
  for (const auto& [name, value] : labelled_samples(metrics, "egw_helper_gateway_up")) {
    report.up[name] = value == 1;
  }
}

CoreReport ask_core(Clock& clock, const IpAddress& pod) {
  const http::ListenAddress place{pod, kCoreHealthPort};
  CoreReport out{.page = ask_conditions(clock, place)};
  if (!out.page.silence.empty()) return out;
  const std::string metrics = metrics_of(clock, place);
  const auto handshakes = labelled_samples(metrics, "egw_core_handshake_age_seconds");
  for (const auto& [name, value] : labelled_samples(metrics, "egw_core_access_point_up")) {
    AccessPointReport& point = out.access_points[name];
    point.up = value == 1;
    const auto found = handshakes.find(name);
    if (found != handshakes.end() && found->second >= 0) point.handshake = found->second;
  }
  return out;
}

}  // namespace

std::optional<HelperRun> find_helper_run(const std::filesystem::path& proc) {
  const std::optional<ProgramRun> found = find_program_run(kProgram, proc);
  if (!found) return std::nullopt;
  HelperRun out{.pid = found->pid, .same_files = found->same_files};
  if (!found->same_user) return out;
  Result<HelperOptions> options = parse_helper_options(
      found->arguments, [&](const std::string& variable) { return found->variable(variable); });
  if (options) out.options = *std::move(options);
  return out;
}

void complete(GatewayReport& report) {
  if (!report.state) return;
  const EdgeGateway& pool = report.state->gateway;
  const std::vector<Cidr> exempt =
      report.helper && report.helper->options ? report.helper->options->exempt : std::vector<Cidr>{};
  report.exempt = node_exemptions(pool, exempt, report.state->servers, report.facts, report.links);
  report.routed = routed_ranges(pool, report.exempt);
  report.active = gateway_in_use(pool.gateways, report.facts, report.links);
  const auto active = std::ranges::find(pool.gateways, report.active, &Gateway::name);
  report.wanted =
      routes_wanted(node_ranges(pool, report.routed),
                    active == pool.gateways.end() ? NextHops{} : ways_to(*active, report.facts, report.links),
                    local_ways(pool.gateways, report.facts, report.links), report.links);
  report.changes = plan_routes(report.wanted, report.facts);
}

Result<GatewayReport> look_at_gateway(Files& files, nl::Socket& socket, const GatewayPlaces& places,
                                      std::optional<HelperRun> helper) {
  const HelperOptions told = helper && helper->options ? *helper->options : HelperOptions{};
  std::filesystem::path state_dir = places.state_dir;
  if (state_dir.empty())
    state_dir = helper && helper->same_files ? told.state_dir : HelperOptions{}.state_dir;
  ReadOnlyFiles looked_at(files);
  HelperStore store(looked_at, state_dir, {"", "", places.machine_id});
  HOLDFAST_TRY(HelperStore::Loaded loaded, store.load());
  GatewayReport out{.store = store.path(),
                    .helper = std::move(helper),
                    .state = std::move(loaded.state),
                    .notes = std::move(loaded.notes),
                    .links = told.links};
  HOLDFAST_TRY(out.facts, read_facts(socket, out.links));
  HOLDFAST_TRY(const std::vector<nl::Link> links, nl::list_links(socket));
  for (const nl::Link& link : links) out.link_names[link.index] = link.name;
  complete(out);
  return out;
}

Result<GatewayReport> inspect_gateway(Files& files, Clock& clock, nl::Socket& socket,
                                      const GatewayPlaces& places) {
  HOLDFAST_TRY(GatewayReport out, look_at_gateway(files, socket, places, find_helper_run()));
  if (out.helper) ask_helper(clock, out);
  if (!out.state) return out;
  for (const Gateway& one : out.state->gateway.gateways) {
    const IpAddress& pod = one.pod_addresses.front();
    if (way_to(pod, out.facts, out.links)) out.cores[one.name] = ask_core(clock, pod);
  }
  return out;
}

}  // namespace holdfast::gateway
