#include "csi-nas/sim/nas_sim.h"

#include "common/cloud/sim/program.h"
#include "csi-nas/sim/nas_service.h"

namespace holdfast::nas {

int nas_sim(std::span<const std::string> arguments, std::ostream& out, std::ostream& error) {
  cloud::sim::SimulatorOptions options;
  Flags flags;
  cloud::sim::add_simulator_flags(flags, options);
  const auto run = [&options, &out] {
    SystemClock clock;
    PosixFiles files;
    NasService service(clock, options.settling);
    return cloud::sim::run_simulator(options, service, clock, files, out);
  };
  return cloud::sim::simulator_main(flags, options, arguments,
                                    "nas-sim: Alibaba Cloud's NAS API on this machine, without its servers.",
                                    out, error, run);
}

}  // namespace holdfast::nas
