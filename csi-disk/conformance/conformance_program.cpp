#include "csi-disk/conformance/conformance_program.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>

#include "common/base/files.h"
#include "common/base/flags.h"
#include "common/base/version.h"
#include "common/cloud/options.h"
#include "csi-disk/backend/cloud_backend.h"
#include "csi-disk/backend/plugin/plugin_disks.h"
#include "csi-disk/conformance/conformance.h"

namespace holdfast::disk {
namespace {

constexpr std::string_view kPlugin = "plugin";
constexpr std::int64_t kMostGib = 65536;
constexpr std::int64_t kMostSeconds = 3600;

struct ProgramOptions {
  std::string backend;
  cloud::CloudOptions cloud;
  std::filesystem::path plugin;
  TrialPlan plan;
  bool help = false;
};

Status set_backend(const std::string& value, std::string& into) {
  if (value != "alibaba" && value != "tencent" && value != kPlugin) {
    return fail(Code::kInvalidArgument, "is neither alibaba nor tencent nor plugin");
  }
  into = value;
  return {};
}

void add_flags(Flags& flags, ProgramOptions& into) {
  TrialPlan& plan = into.plan;
  flags.value("backend", "alibaba|tencent|plugin", "what is tried",
              [&into](const std::string& value) { return set_backend(value, into.backend); });
  flags.value("plugin", "SOCKET", "where the plugin listens", Flags::to_path(into.plugin));
  cloud::add_cloud_flags(flags, into.cloud);
  flags.heading("What it is tried with. It makes about forty disks and fifteen snapshots, and removes them.");
  flags.text("node", "ID", "a machine that disks are attached to", plan.node);
  flags.text("other-node", "ID", "another one; without it, what needs two is left out", plan.other_node);
  flags.text("zone", "ZONE", "of both [the cloud's choice]", plan.zone);
  flags.text("type", "TYPE", "of the disks [the cloud's choice]", plan.performance.type);
  flags.text("modify-type", "TYPE", "that a disk is modified to", plan.modified.type);
  flags.text("modify-level", "LEVEL", "that a disk is modified to", plan.modified.level);
  flags.integer("gib", "GIB", "of each disk [20]", 1, kMostGib,
                [&plan](std::int64_t gib) { plan.gib = static_cast<std::uint64_t>(gib); });
  flags.integer("more-gib", "GIB", "that a disk is grown to [30]", 1, kMostGib,
                [&plan](std::int64_t gib) { plan.more_gib = static_cast<std::uint64_t>(gib); });
  flags.integer("settling", "SECONDS", "how long the cloud may take to finish what it began [120]", 1,
                kMostSeconds,
                [&plan](std::int64_t seconds) { plan.settling = std::chrono::seconds(seconds); });
  flags.boolean("help", "this text", into.help);
}

Status check(const ProgramOptions& options) {
  if (options.backend.empty()) return fail(Code::kInvalidArgument, "--backend says not what to try");
  if (options.plan.node.empty()) return fail(Code::kInvalidArgument, "--node names no machine");
  if (options.backend == kPlugin) {
    return options.plugin.empty() ? Status(fail(Code::kInvalidArgument, "--plugin names no socket"))
                                  : Status{};
  }
  if (options.cloud.region.empty()) return fail(Code::kInvalidArgument, "--cloud-region names none");
  return {};
}

int report(DiskBackend& backend, Clock& clock, const TrialPlan& plan, std::ostream& out) {
  const std::vector<CaseResult> results = try_backend(backend, clock, plan, [&out](const CaseResult& each) {
    out << to_string(each.end) << "\t" << each.name << (each.why.empty() ? "" : ": ") << each.why
        << std::endl;
  });
  const auto count = [&results](CaseResult::End end) {
    return std::ranges::count(results, end, &CaseResult::end);
  };
  const auto broken = count(CaseResult::End::kBroken);
  out << count(CaseResult::End::kKept) << " kept, " << broken << " broken, "
      << count(CaseResult::End::kLeftOut) << " left out" << std::endl;
  return broken == 0 ? 0 : 1;
}

/// What calls a cloud. All outlive it.
std::unique_ptr<CloudBackend> make_backend(const ProgramOptions& options, cloud::HttpClient& http,
                                           cloud::CredentialSource& credentials, Clock& clock) {
  const CloudPlace place{.region = options.cloud.region, .endpoint = options.cloud.endpoint};
  if (options.backend == "tencent") return make_tencent(http, credentials, clock, place);
  return make_alibaba(http, credentials, clock, place);
}

int run_on_plugin(const ProgramOptions& options, Clock& clock, const TrialPlan& plan, std::ostream& out,
                  std::ostream& error) {
  const auto plugin = PluginDisks::connect(options.plugin, plan.deadline);
  if (plugin) return report(**plugin, clock, plan, out);
  error << plugin.error().message << "\n";
  return 1;
}

int run(const ProgramOptions& options, std::ostream& out, std::ostream& error) {
  SystemClock clock;
  TrialPlan plan = options.plan;
  plan.run = "holdfast-" + std::to_string(clock.now().time_since_epoch().count());
  if (options.backend == kPlugin) return run_on_plugin(options, clock, plan, out, error);
  PosixFiles files;
  cloud::CurlClient http("holdfast-disk-backend-conformance/" + std::string(version()));
  const cloud::Vendor vendor =
      options.backend == "tencent" ? cloud::Vendor::kTencent : cloud::Vendor::kAlibaba;
  const auto credentials = cloud::make_credentials(options.cloud, vendor, files, http, clock);
  const std::unique_ptr<CloudBackend> cloud = make_backend(options, http, *credentials, clock);
  return report(cloud->disks(), clock, plan, out);
}

}  // namespace

int disk_backend_conformance(std::span<const std::string> arguments, std::ostream& out, std::ostream& error) {
  ProgramOptions options;
  Flags flags;
  add_flags(flags, options);
  Status done = flags.parse(arguments);
  if (done && options.help) {
    out << "disk-backend-conformance: whether a disk service keeps what csi-disk relies on.\n"
        << flags.help();
    return 0;
  }
  if (done) done = check(options);
  if (done) return run(options, out, error);
  error << done.error().message << "\n";
  return 1;
}

}  // namespace holdfast::disk
