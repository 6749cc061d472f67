#include "egw-gateway/inspect/gateway_inspector.h"

#include "common/base/machine_ids.h"
#include "egw-gateway/inspect/gateway_findings.h"
#include "egw-gateway/inspect/gateway_report.h"
#include "egw-gateway/inspect/kernel_ways.h"
#include "egw-gateway/inspect/way_explanation.h"

namespace holdfast::gateway {
namespace {

Result<GatewayReport> inspect(Files& files, Clock& clock, nl::Socket& socket,
                              const std::filesystem::path& state_dir) {
  return inspect_gateway(files, clock, socket, {state_dir, read_machine_id(files).value_or("")});
}

}  // namespace

void GatewayInspector::add_flags(Flags& flags) {
  flags.value("egw-state-dir", "FOLDER", "egw-helper's [/var/lib/egw]", Flags::to_path(state_dir_));
}

std::vector<Finding> GatewayInspector::examine() {
  Result<nl::Socket> socket = nl::Socket::open();
  if (!socket) return {{Verdict::kWrong, "gateways", socket.error().message}};
  const Result<GatewayReport> report = inspect(files_, clock_, *socket, state_dir_);
  if (!report) return {{Verdict::kWrong, "gateways", report.error().message}};
  return gateway_findings(*report);
}

Explanation GatewayInspector::explain(const std::string& subject) {
  const Result<IpAddress> address = IpAddress::parse(subject);
  if (!address) return {};
  Result<nl::Socket> socket = nl::Socket::open();
  if (!socket) return {"gateways: " + socket.error().message + "\n", false};
  const Result<GatewayReport> report = inspect(files_, clock_, *socket, state_dir_);
  if (!report) return {"gateways: " + report.error().message + "\n", false};
  return explain_way(*report, *address, ask_kernel_ways(*socket, *report, *address));
}

}  // namespace holdfast::gateway
