#include "csi-nas/program/nfs_side.h"

#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "csi-nas/nfs/nfs_table.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

// For how long nobody must have used a share before it is unmounted beside calls.
constexpr std::chrono::minutes kUnusedShare{1};
constexpr std::chrono::seconds kSweepPatience{3};
constexpr std::chrono::seconds kLockServicesPatience{5};

}  // namespace

Result<fs::path> find_program(const fs::path& told, const char* name, const char* flag) {
  std::error_code error;
  fs::path program = told.empty() ? fs::read_symlink("/proc/self/exe", error).parent_path() / name : told;
  if (::access(program.c_str(), X_OK) == 0) return program;
  return fail(Code::kNotFound, "there is no program " + program.native() + ": " + flag + " names it");
}

Result<std::unique_ptr<NfsSide>> NfsSide::open(const csi::HostContext& context, NfsSideOptions options) {
  HOLDFAST_TRY(mount::Beneath root, mount::Beneath::open(options.root.native()));
  HOLDFAST_TRY(auto table, mount::MountTable::open());
  return std::unique_ptr<NfsSide>(
      new NfsSide(context, std::move(options), std::move(root), std::move(table)));
}

NfsSide::NfsSide(const csi::HostContext& context, NfsSideOptions options, mount::Beneath root,
                 std::unique_ptr<mount::MountTable> table)
    : context_(context),
      options_(std::move(options)),
      root_(std::move(root)),
      table_(std::move(table)),
      calls_(options_.nascmd.native(), options_.root.native()),
      servers_(context.loop),
      mounts_({calls_, servers_, context.clock, [this] { return this->table(); }, options_.shared.native()}) {
}

// With targets as the root is called here.
Result<std::shared_ptr<const mount::Mounts>> NfsSide::table() {
  HOLDFAST_TRY(auto mounts, table_->now());
  if (root_.tells_as_it_is()) return mounts;
  auto told = std::make_shared<mount::Mounts>(*mounts);
  for (mount::MountEntry& entry : *told) entry.target = root_.told(entry.target);
  return std::shared_ptr<const mount::Mounts>(std::move(told));
}

void NfsSide::prepare() {
  const auto warn = [this](const Status& done) {
    if (!done) context_.log.warning("NFS is not as it should be", {{"why", done.error().message}});
  };
  if (options_.rpc_slots != 0) warn(raise_rpc_slots(options_.rpc_slots));
  const auto mounts = table();
  if (!mounts) return;
  // Services that ran in a container have gone with it.
  const bool needed = std::ranges::any_of(**mounts, [this](const mount::MountEntry& entry) {
    return is_at_or_below(entry.target, options_.root.native()) && locks_at_server(entry);
  });
  if (needed) warn(calls_.start_lock_services(kLockServicesPatience));
}

void NfsSide::tick() {
  calls_.reap();
  calls_.give_up([dead = dead_servers()](const std::string& server) { return dead.contains(server); });
  if (const auto mounts = table()) {
    std::set<ServerAddress> in_use = servers_below(**mounts, options_.root.native());
    in_use.insert(also_.begin(), also_.end());
    servers_.keep(in_use);
  }
  if (sweeping_) return;
  sweeping_ = true;
  context_.worker.run([this] { mounts_.sweep(kUnusedShare, mounts_.deadline(kSweepPatience)); },
                      [this] { sweeping_ = false; });
}

std::set<std::string> NfsSide::dead_servers() const {
  std::set<std::string> out;
  for (const auto& [server, health] : servers_.all()) {
    if (health.state == ServerState::kDead) out.insert(server.text());
  }
  return out;
}

void NfsSide::refresh_metrics() {
  const Labels driver{{"driver_name", options_.driver_name}};
  context_.metrics
      .gauge("holdfast_nfs_calls_stuck", "Killed calls of NFS that are still in the kernel", driver)
      .set(static_cast<double>(calls_.stuck()));
  for (const auto& [server, health] : servers_.all()) {
    Labels labels = driver;
    labels["server"] = server.text();
    context_.metrics.gauge("holdfast_nfs_server_up", "Whether an NFS server answers", labels)
        .set(health.state == ServerState::kAlive ? 1 : 0);
  }
}

}  // namespace holdfast::nas
