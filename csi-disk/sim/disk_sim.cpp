#include "csi-disk/sim/disk_sim.h"

#include <memory>
#include <ostream>
#include <vector>

#include "common/base/text.h"
#include "common/cloud/sim/program.h"
#include "csi-disk/sim/device_service.h"
#include "csi-disk/sim/loop_bays.h"
#include "csi-disk/sim/program_bays.h"
#include "csi-disk/sim/scsi_bays.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct DiskSimOptions {
  cloud::sim::SimulatorOptions common;
  DiskShop shop;
  std::vector<std::string> nodes;
  fs::path devices;
  bool scsi = false;
  fs::path program;  ///< that plugs disks into machines; empty: they are this machine's
};

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view word = trim(take_until(rest, ','));
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

Status set_zones(const std::string& value, DiskShop& into) {
  into.zones = words_of(value);
  return into.zones.empty() ? Status(fail(Code::kInvalidArgument, "names no zone")) : Status{};
}

Status set_kind(const std::string& value, DiskSimOptions& into) {
  into.scsi = value == "scsi";
  if (value.starts_with('/')) into.program = value;
  if (value == "loop" || into.scsi || !into.program.empty()) return {};
  return fail(Code::kInvalidArgument, "is neither loop, scsi, nor the path of a program");
}

void add_flags(Flags& flags, DiskSimOptions& into) {
  cloud::sim::add_simulator_flags(flags, into.common);
  flags.text("region", "REGION", "[sim-1]", into.shop.region);
  flags.value("zones", "ZONE,...", "of the region [sim-1a,sim-1b]",
              [&into](const std::string& value) { return set_zones(value, into.shop); });
  flags.value("nodes", "ID[@ZONE],...", "machines that there are from the start, 16 disks each [none]",
              [&into](const std::string& value) {
                into.nodes = words_of(value);
                return Status{};
              });
  flags.value("devices", "FOLDER",
              "disks have content, kept there, and are devices of this machine while they are attached",
              Flags::to_path(into.devices));
  flags.value(
      "as", "loop|scsi|PROGRAM",
      "loop devices with links in FOLDER/by-id, SCSI disks with serial numbers, or what a program makes of "
      "them [loop]",
      [&into](const std::string& value) { return set_kind(value, into); });
}

Result<std::unique_ptr<DiskBays>> make_bays(const DiskSimOptions& options, Executor& executor) {
  const fs::path images = options.devices / "disks";
  if (!options.program.empty()) {
    return std::unique_ptr<DiskBays>(
        std::make_unique<ProgramBays>(executor, options.program, std::vector<std::string>{kPath}));
  }
  if (!options.scsi)
    return std::unique_ptr<DiskBays>(std::make_unique<LoopBays>(images, options.devices / "by-id"));
  auto scsi = std::make_unique<ScsiBays>(images);
  HOLDFAST_CHECK(scsi->open());
  return std::unique_ptr<DiskBays>(std::move(scsi));
}

Status serve(const DiskSimOptions& options, std::ostream& out, std::ostream& error) {
  SystemClock clock;
  PosixFiles files;
  if (options.devices.empty()) {
    DiskService service(clock, options.shop);
    return cloud::sim::run_simulator(options.common, service, clock, files, out);
  }
  DiskImages images(options.devices);
  SystemExecutor executor;
  HOLDFAST_TRY(const std::unique_ptr<DiskBays> bays, make_bays(options, executor));
  DeviceService service(clock, options.shop, images, *bays,
                        [&error](const std::string& words) { error << words << std::endl; });
  Status done = cloud::sim::run_simulator(options.common, service, clock, files, out);
  service.stop();
  return done;
}

}  // namespace

int disk_sim(std::span<const std::string> arguments, std::ostream& out, std::ostream& error) {
  DiskSimOptions options;
  Flags flags;
  add_flags(flags, options);
  const auto run = [&] {
    options.shop.settling = options.common.settling;
    for (const std::string& node : options.nodes) {
      const std::size_t at = node.find('@');
      options.shop.nodes[node.substr(0, at)] =
          at == std::string::npos ? options.shop.zones.front() : node.substr(at + 1);
    }
    return serve(options, out, error);
  };
  return cloud::sim::simulator_main(flags, options.common, arguments,
                                    "disk-sim: disks of Alibaba Cloud and of Tencent Cloud, on this machine.",
                                    out, error, run);
}

}  // namespace holdfast::disk
