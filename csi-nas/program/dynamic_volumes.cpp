#include "csi-nas/program/dynamic_volumes.h"

#include <utility>
#include <vector>

#include "common/base/state_folder.h"

namespace holdfast::nas {
namespace {

constexpr std::chrono::minutes kUnusedShare{5};  // far longer than a call may wait for its work's turn
constexpr std::chrono::seconds kSweepPatience{3};
constexpr std::chrono::seconds kNamePatience{2};

Result<std::unique_ptr<NasRecords>> open_records(const csi::HostContext& context,
                                                 const std::filesystem::path& folder) {
  std::vector<std::string> notes;
  HOLDFAST_TRY(auto records, FileRecords::open(context.files, folder, notes));
  for (const std::string& note : notes) context.log.warning("a volume's record is lost", {{"why", note}});
  return std::unique_ptr<NasRecords>(std::move(records));
}

NasRecords& records_of(NasRecords* own, ControllerCluster* cluster) {
  return cluster == nullptr ? *own : cluster->records();
}

}  // namespace

Result<std::unique_ptr<DynamicVolumes>> DynamicVolumes::open(const csi::HostContext& context, NfsSide& nfs,
                                                             DynamicVolumesOptions options,
                                                             ControllerCluster* cluster) {
  Ground ground;
  HOLDFAST_TRY(ground.lock, take_state_folder(context.files, options.folder, "csi-nas"));
  HOLDFAST_CHECK(make_state_folder(context.files, options.folder / "volumes"));
  if (cluster == nullptr) {
    HOLDFAST_TRY(ground.records, open_records(context, options.folder / "volumes"));
  }
  HOLDFAST_TRY(ground.jobs, DirectoryJobs::open({.program = options.nas_directories.native(),
                                                 .folder = options.folder / "work"},
                                                context.files, context.clock));
  return std::unique_ptr<DynamicVolumes>(
      new DynamicVolumes(context, nfs, std::move(options), std::move(ground), cluster));
}

DynamicVolumes::DynamicVolumes(const csi::HostContext& context, NfsSide& nfs, DynamicVolumesOptions options,
                               Ground ground, ControllerCluster* cluster)
    : context_(context),
      nfs_(nfs),
      options_(std::move(options)),
      ground_(std::move(ground)),
      shares_(nfs.mounts(), nfs.servers(), context.clock, options_.shown.native()),
      cloud_(options_.cloud.region.empty()
                 ? nullptr
                 : std::make_unique<CloudSide>(context_, options_.cloud,
                                               records_of(ground_.records.get(), cluster))),
      volumes_(records_of(ground_.records.get(), cluster), shares_, *ground_.jobs, context.clock,
               cluster == nullptr ? nullptr : &cluster->sites(), cloud_ ? &cloud_->volumes() : nullptr),
      controller_(volumes_) {}

// A name is looked up when it was not before; whoever mounts a share looks it up anew.
std::set<ServerAddress> DynamicVolumes::find_servers() {
  std::set<ServerAddress> out;
  NasMounts& mounts = nfs_.mounts();
  for (const NasSource& source : volumes_.shares()) {
    const NasShare& share = source.shares.front();
    auto server = mounts.known_address(share, source.options);
    if (!server) {
      if (auto found = mounts.address_of(share, source.options, mounts.deadline(kNamePatience))) {
        server = *std::move(found);
      }
    }
    if (server) out.insert(*std::move(server));
  }
  return out;
}

void DynamicVolumes::tick() {
  // Takes leave of those that have ended, and ends those that are late.
  static_cast<void>(ground_.jobs->running());
  if (tending_) return;
  tending_ = true;
  context_.worker.run(
      [this] {
        shares_.sweep(kUnusedShare, kSweepPatience);
        found_ = find_servers();
      },
      [this] {
        tending_ = false;
        nfs_.watch_also(found_);
      });
}

void DynamicVolumes::refresh_metrics() {
  const auto gauge = [this](const char* name, const char* help, Labels labels) -> Gauge& {
    labels["driver_name"] = options_.driver_name;
    return context_.metrics.gauge(name, help, labels);
  };
  for (const bool snapshots : {false, true}) {
    gauge("holdfast_nas_volumes", "Volumes and snapshots that are whole",
          {{"kind", snapshots ? "snapshot" : "volume"}})
        .set(static_cast<double>(volumes_.list(snapshots).size()));
  }
  gauge("holdfast_nas_works", "Processes that work on directories of shares", {})
      .set(static_cast<double>(ground_.jobs->running()));
}

}  // namespace holdfast::nas
