#pragma once

#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "csi-nas/mounts/nas_mounts.h"
#include "csi-nas/nfs/nfs_table.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::nas::test {

/// Servers that live or not, as they are told. One that is dead makes every call late that touches it.
class FakeServers final : public ServerStates {
 public:
  std::map<std::string, ServerState> states;  ///< by address; those that are not told live
  std::vector<std::string> suspected;

  [[nodiscard]] ServerHealth health(const ServerAddress& server) const override {
    const auto found = states.find(server.address);
    return {found == states.end() ? ServerState::kAlive : found->second, std::chrono::seconds(9)};
  }
  [[nodiscard]] ServerHealth settled(const ServerAddress& server, std::chrono::nanoseconds) override {
    return health(server);
  }
  void suspect(const ServerAddress& server) override { suspected.push_back(server.address); }
};

/// NfsCalls that remember. Mounts are lines of a table; what exports there are is told.
class FakeCalls final : public NfsCalls {
 public:
  explicit FakeCalls(holdfast::test::FakeClock& clock) : clock_(clock) {}

  std::set<std::string> folders;             ///< "10.0.0.5:/exports" is there
  std::map<std::string, std::string> names;  ///< addresses of hosts
  std::set<std::string> silent;              ///< addresses: calls to them are late, whatever is known of them
  std::set<std::string> stale;               ///< targets whose server has forgotten them
  std::set<std::string> busy;                ///< targets
  std::set<std::string> under_way;           ///< targets
  std::string late_once;                     ///< of a call; it has no time once
  int missing_errno = ENOENT;                ///< of the mount of what is not there
  int mode_errno = 0;                        ///< of changes of a mode; 0: they succeed
  bool lock_services = true;                 ///< can be started
  std::vector<std::string> made;             ///< verbs and what they were about
  mount::Mounts mounts;

  Result<std::string> resolve(const std::string& host, Patience) override {
    const auto found = names.find(host);
    if (found == names.end()) return fail(Code::kUnavailable, host + " has no address");
    return found->second;
  }
  Status start_lock_services(Patience patience) override {
    HOLDFAST_CHECK(begin("lock-services", "", patience));
    return lock_services ? Status{} : Status(fail(Code::kFailedPrecondition, "no rpc.statd"));
  }
  Status mount(const std::string& server, const MountShareRequest& request, Patience patience) override {
    HOLDFAST_CHECK(begin("mount " + request.source, server, patience));
    HOLDFAST_TRY(const bool there, is_at(request.target, request.source));
    if (there) return {};
    if (!folders.contains(request.source)) return fail_errno(missing_errno, "mount " + request.source);
    mount::MountEntry entry;
    entry.minor = ++last_minor_;
    entry.root = "/";
    entry.target = request.target;
    entry.options = request.options.read_only() ? "ro" : "rw";
    entry.type = "nfs4";
    entry.source = request.source;
    entry.super_options = "rw," + request.options.data;
    mounts.push_back(entry);
    stale.erase(request.target);
    return {};
  }
  Status make_folder(const std::string& server, const MakeFolderRequest& request,
                     Patience patience) override {
    HOLDFAST_CHECK(begin("make-folder " + request.source + " " + request.path, server, patience));
    if (!folders.contains(request.source)) return fail_errno(ENOENT, "mount " + request.source);
    folders.insert(request.source + (request.source.ends_with('/') ? "" : "/") + request.path);
    return {};
  }
  Status set_mode(const std::string& server, const std::string& path, mode_t mode,
                  Patience patience) override {
    HOLDFAST_CHECK(begin("set-mode " + path + " " + std::to_string(mode), server, patience));
    if (stale.contains(path)) return fail_errno(ESTALE, "look at " + path);
    return mode_errno == 0 ? Status{} : Status(fail_errno(mode_errno, "change the mode of " + path));
  }
  Status bind(const std::string& server, const BindRequest& request, Patience patience) override {
    HOLDFAST_CHECK(begin("bind " + request.target, server, patience));
    if (stale.contains(request.source)) return fail_errno(ESTALE, "open " + request.source);
    const mount::MountEntry* from = mount::mounted_at(mounts, request.source);
    if (from == nullptr) return fail(Code::kFailedPrecondition, "nothing is mounted at " + request.source);
    mount::MountEntry entry = *from;
    entry.target = request.target;
    entry.source = source_of_part(entry.source, request.part);
    if (request.read_only) entry.options = "ro";
    HOLDFAST_TRY(const bool there, is_at(request.target, entry.source));
    if (there) return {};
    mounts.push_back(entry);
    stale.erase(request.target);
    return {};
  }
  Status unmount(const std::string& server, const UnmountRequest& request, Patience patience) override {
    const bool lazily = request.how == Unmount::kLazily;
    const std::string verb =
        std::string(lazily ? "detach " : "unmount ") + request.target + (request.remove ? " remove" : "");
    HOLDFAST_CHECK(begin(verb, request.how == Unmount::kLazily ? "" : server, patience));
    if (!lazily && busy.contains(request.target)) return fail_errno(EBUSY, "unmount " + request.target);
    std::erase_if(mounts, [&](const mount::MountEntry& entry) { return entry.target == request.target; });
    return {};
  }
  Result<block::VolumeUsage> look(const std::string& server, const std::string& path,
                                  Patience patience) override {
    HOLDFAST_CHECK(begin("look " + path, server, patience));
    if (stale.contains(path)) return fail_errno(ESTALE, "look at " + path);
    return block::VolumeUsage{.total_bytes = 100,
                              .available_bytes = 60,
                              .used_bytes = 40,
                              .total_inodes = 10,
                              .available_inodes = 7,
                              .used_inodes = 3};
  }

  [[nodiscard]] bool is_under_way(const std::string& target) override { return under_way.contains(target); }

  [[nodiscard]] std::vector<std::string> targets() const {
    std::vector<std::string> out;
    for (const mount::MountEntry& entry : mounts) out.push_back(entry.target);
    return out;
  }

 private:
  /// Whether the source is mounted there. Errors: kAlreadyExists when something else is.
  [[nodiscard]] Result<bool> is_at(const std::string& target, const std::string& source) const {
    const mount::MountEntry* there = mount::mounted_at(mounts, target);
    if (there == nullptr || there->source == source) return there != nullptr;
    return fail(Code::kAlreadyExists, target + " has something else mounted: " + there->source);
  }
  Status begin(const std::string& what, const std::string& server, Patience patience) {
    made.push_back(what);
    const bool once = what == late_once;
    if (once) late_once.clear();
    const bool late = once || (!server.empty() && silent.contains(server.substr(0, server.rfind(':'))));
    if (!late) return {};
    clock_.advance(patience);
    return fail(Code::kDeadlineExceeded, what + ": no answer");
  }

  holdfast::test::FakeClock& clock_;
  std::uint32_t last_minor_ = 0;
};

/// A node with one server, 10.0.0.5, that exports /exports.
struct NasScene {
  NasScene() { calls.folders = {"10.0.0.5:/", "10.0.0.5:/exports"}; }

  Result<std::shared_ptr<const mount::Mounts>> table() {
    return std::make_shared<const mount::Mounts>(calls.mounts);
  }
  /// What has been called since the last time.
  std::vector<std::string> news() { return std::exchange(calls.made, {}); }

  static constexpr const char* kShared = "/kubelet/plugins/nas/shared";
  holdfast::test::FakeClock clock;
  FakeServers servers;
  FakeCalls calls{clock};
  NasMounts mounts{{calls, servers, clock, [this] { return table(); }, kShared}};
};

}  // namespace holdfast::nas::test
