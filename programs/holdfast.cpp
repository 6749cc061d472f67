#include "cni-flannel/inspect/holdfast.h"

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "common/base/flags.h"
#include "common/block/allow_format.h"
#include "common/mount/device_free.h"
#include "csi-lvm/cluster/forget_node.h"
#include "csi-lvm/nrm/plan_report.h"
#include "egw-gateway/inspect/gateway_inspector.h"

namespace {

template <class Answer>
int print(const Answer& answer) {
  std::fputs(answer.out.c_str(), stdout);
  std::fputs(answer.error.c_str(), stderr);
  return answer.status;
}

}  // namespace

// The command line for people at a node. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  holdfast::PosixFiles files;
  holdfast::SystemClock clock;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string command = arguments.empty() ? "" : arguments.front();
  if (command == "volume") {
    return print(holdfast::block::answer_volume_command(holdfast::block::DeviceDirectory(),
                                                        holdfast::mount::places_of, arguments));
  }
  if (command == "node") {
    return print(holdfast::lvm::answer_node_command(files, clock, arguments, holdfast::environment_variable));
  }
  holdfast::gateway::GatewayInspector gateways(files, clock);
  const std::array<holdfast::Inspector*, 1> others{&gateways};
  auto answer = holdfast::flannel::answer(files, clock, arguments, holdfast::environment_variable, others);
  if (command == "status" && answer.status < 2) {
    const auto plan = holdfast::nrm::report_plan(files, holdfast::nrm::kStateFolder);
    if (!plan.text.empty()) answer.out += "\n" + plan.text;
    if (!plan.well) answer.status = 1;
  }
  return print(answer);
}
