#include "csi-disk/sim/disk_sim.h"

#include <memory>
#include <ostream>
#include <vector>

#include "common/base/text.h"
#include "common/cloud/sim/program.h"
#include "csi-disk/sim/device_service.h"
#include "csi-disk/sim/loop_bays.h"
#include "csi-disk/sim/scsi_bays.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

struct DiskSimOptions {
  cloud::sim::SimulatorOptions common;
  DiskShop shop;
  std::vector<std::string> nodes;
  fs::path devices;
  bool scsi = false;
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

Status set_kind(const std::string& value, bool& scsi) {
  if (value != "loop" && value != "scsi") return fail(Code::kInvalidArgument, "is neither loop nor scsi");
  scsi = value == "scsi";
  return {};
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
  flags.value("as", "loop|scsi",
              "loop devices with links in FOLDER/by-id, or SCSI disks with serial numbers [loop]",
              [&into](const std::string& value) { return set_kind(value, into.scsi); });
}

Status serve(const DiskSimOptions& options, std::ostream& out, std::ostream& error) {
  SystemClock clock;
  PosixFiles files;
  if (options.devices.empty()) {
    DiskService service(clock, options.shop);
    return cloud::sim::run_simulator(options.common, service, clock, files, out);
  }
  DiskImages images(options.devices);
  std::unique_ptr<DiskBays> bays =
      std::make_unique<LoopBays>(options.devices / "disks", options.devices / "by-id");
  if (options.scsi) {
    auto scsi = std::make_unique<ScsiBays>(options.devices / "disks");
    HOLDFAST_CHECK(scsi->open());
    bays = std::move(scsi);
  }
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
