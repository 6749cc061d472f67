#include "csi-disk/program/cloud_side.h"

#include <utility>

#include "common/base/version.h"
#include "csi-disk/backend/plugin/plugin_disks.h"

namespace holdfast::disk {
namespace {

cloud::Vendor vendor_of(Backend backend) {
  return backend == Backend::kTencent ? cloud::Vendor::kTencent : cloud::Vendor::kAlibaba;
}

std::unique_ptr<CloudBackend> make_cloud(Backend backend, cloud::HttpClient& http,
                                         cloud::CredentialSource& credentials, Clock& clock,
                                         const cloud::CloudOptions& options) {
  const CloudPlace place{.region = options.region, .endpoint = options.endpoint};
  return backend == Backend::kTencent ? make_tencent(http, credentials, clock, place)
                                      : make_alibaba(http, credentials, clock, place);
}

// A cloud that another program calls.
class PluginBackend final : public CloudBackend {
 public:
  explicit PluginBackend(std::unique_ptr<PluginDisks> disks) : disks_(std::move(disks)) {}
  [[nodiscard]] DiskBackend& disks() override { return *disks_; }

 private:
  std::unique_ptr<PluginDisks> disks_;
};

Result<std::unique_ptr<CloudBackend>> connect_plugin(const std::filesystem::path& socket) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::seconds(30);
  if (socket.empty())
    return fail(Code::kInvalidArgument, "--plugin tells where the program of --backend=plugin listens");
  HOLDFAST_TRY(std::unique_ptr<PluginDisks> disks, PluginDisks::connect(socket, kLongest));
  return std::unique_ptr<CloudBackend>(std::make_unique<PluginBackend>(std::move(disks)));
}

// A plugin may be of a cloud that nobody knows here.
Result<DiskCloud> cloud_of(const csi::Profile& profile, Backend backend) {
  const std::string name = cloud_name_of(profile);
  if (name.empty() && backend == Backend::kPlugin) return any_cloud();
  return known_cloud(name);
}

class ControllerPlugin final : public csi::HostedDriver {
 public:
  ControllerPlugin(csi::Profile profile, std::filesystem::path socket, std::shared_ptr<CloudSide> side)
      : profile_(std::move(profile)), socket_(std::move(socket)), side_(std::move(side)) {}

  Status prepare() override { return {}; }
  void tick() override { side_->tick(); }
  void end(const std::function<void()>& done) override { side_->end(done); }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = profile_;
    out.capabilities = {
        .controller = true, .topology = !profile_.topology_keys.empty(), .online_expansion = true};
    out.socket = socket_;
    out.endpoint = socket_;
    out.controller = &side_->driver();
    return out;
  }

 private:
  csi::Profile profile_;
  std::filesystem::path socket_;
  std::shared_ptr<CloudSide> side_;
};

}  // namespace

CloudSide::CloudSide(const csi::HostContext& context, const cloud::CloudOptions& options, Backend backend,
                     const std::string& driver, std::unique_ptr<CloudBackend> plugin, DiskSettings settings,
                     std::unique_ptr<ClaimEvents> events)
    : events_(std::move(events)),
      conflicts_(context.metrics.counter("holdfast_disk_zone_conflicts_total",
                                         "Calls to make disks whose class has them where no pod may run",
                                         {{"driver_name", driver}})),
      http_("csi-disk/" + std::string(version())),
      credentials_(cloud::make_credentials(options, vendor_of(backend), context.files, http_, context.clock)),
      cloud_(plugin ? std::move(plugin) : make_cloud(backend, http_, *credentials_, context.clock, options)),
      patient_(cloud_->disks(), context.clock),
      volumes_(patient_, std::move(settings), context.clock),
      controller_(volumes_, [this](const DiskNote& note) { tell(note); }),
      context_(context),
      unfinished_(volumes_, context.clock),
      unfinished_count_(
          context.metrics.gauge("holdfast_disks_unfinished",
                                "Disks that were begun an hour ago or more and that nobody was told of",
                                {{"driver_name", driver}})) {}

Result<std::unique_ptr<CloudSide>> CloudSide::make(const csi::HostContext& context, const Options& options,
                                                   const csi::Profile& profile, Backend backend,
                                                   std::string cluster, std::unique_ptr<ClaimEvents> events) {
  std::unique_ptr<CloudBackend> plugin;
  if (backend == Backend::kPlugin) {
    HOLDFAST_TRY(plugin, connect_plugin(options.plugin));
  } else if (options.cloud.region.empty()) {
    return fail(Code::kInvalidArgument, "--cloud-region tells where the disks of volumes are");
  }
  HOLDFAST_TRY(DiskCloud cloud, cloud_of(profile, backend));
  DiskSettings settings{.cloud = std::move(cloud),
                        .keys = place_keys(profile.topology_keys),
                        .handle_prefix = profile.handle_prefix,
                        .region = options.cloud.region,
                        .place = options.node.zone,
                        .cluster = std::move(cluster)};
  return std::unique_ptr<CloudSide>(new CloudSide(context, options.cloud, backend, profile.driver_name,
                                                  std::move(plugin), std::move(settings), std::move(events)));
}

void CloudSide::tell(const DiskNote& note) {
  conflicts_.add();
  context_.log.warning(note.words, {{"event", note.event}, {"volume", note.volume}});
  if (events_) events_->tell(note);
}

void CloudSide::end(const std::function<void()>& done) {
  if (!events_) return done();
  events_->end(done);
}

Result<std::optional<std::uint32_t>> CloudSide::attach_limit_of(const std::string& instance_id) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::seconds(10);
  auto facts = patient_.node(instance_id, kLongest);
  if (!facts) return tl::unexpected(cloud::to_error(std::move(facts).error()));
  return *facts ? (**facts).attach_limit : std::nullopt;
}

void CloudSide::tick() {
  const std::chrono::nanoseconds now = context_.clock.since_boot();
  if (looking_ || now < look_next_ || !volumes_.abilities().tags) return;
  looking_ = true;
  look_next_ = now + kBetweenLooks;
  context_.worker.run([this] { looked_ = unfinished_.look(kLookPatience); }, [this] { tell_unfinished(); });
}

// A cloud that does not answer is looked at again.
void CloudSide::tell_no_answer(const Error& error) {
  look_next_ = context_.clock.since_boot() + kAfterNoAnswer;
  if (std::exchange(no_answer_, error.message) == error.message) return;
  context_.log.warning(
      "the cloud does not do what is asked: no disk is made, attached or detached until it does",
      {{"error", error.message}});
}

void CloudSide::tell_unfinished() {
  looking_ = false;
  if (!looked_) {
    tell_no_answer(looked_.error());
    return;
  }
  if (!std::exchange(no_answer_, "").empty()) context_.log.info("the cloud answers again");
  unfinished_count_.set(static_cast<double>(looked_->size()));
  for (const std::string& id : *looked_) {
    if (!told_.insert(id).second) continue;
    context_.log.warning("a disk was begun and nobody was told of it: delete it, if no volume is to be of it",
                         {{"disk", id}});
  }
}

std::unique_ptr<csi::HostedDriver> make_controller_plugin(const csi::Profile& profile,
                                                          const std::filesystem::path& socket,
                                                          std::shared_ptr<CloudSide> side) {
  return std::make_unique<ControllerPlugin>(profile, socket, std::move(side));
}

}  // namespace holdfast::disk
