#include "csi-nas/mounts/nas_mounts.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "csi-nas/nfs/nfs_table.h"

namespace holdfast::nas {
namespace {

using Patience = NfsCalls::Patience;

// What is left of a call's time must do for the lazy way.
constexpr std::chrono::milliseconds kOrderlyPatience{1200};
constexpr std::chrono::milliseconds kSettledPatience{2200};
constexpr std::chrono::milliseconds kLazyPatience{700};

bool is_address(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || host.find(':') != std::string::npos;
}

Error no_answer(const ServerAddress& server, const ServerHealth& health) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(health.silence).count();
  return {.code = Code::kUnavailable,
          .sys_errno = 0,
          .message = "the NFS server " + server.text() + " has not answered for " + std::to_string(seconds) +
                     " s: its volumes wait until it does"};
}

bool is_of_source(const mount::MountEntry& entry, const NasSource& source) {
  return is_nfs(entry) && std::ranges::any_of(source.shares, [&](const NasShare& share) {
           return source_of_part(share.source(), source.subdirectory) == entry.source;
         });
}

// nfs-ganesha answers by version 3 that a folder which is not there is not exported.
bool may_be_missing(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kPermissionDenied;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// What of `path` is below `parent`.
std::string below(const std::string& path, const std::string& parent) {
  return path.substr(parent == "/" ? 1 : parent.size() + 1);
}

}  // namespace

NasMounts::NasMounts(NasMountsParts parts) : parts_(std::move(parts)) {}

NasMounts::Deadline NasMounts::deadline(std::chrono::nanoseconds patience) const {
  return parts_.clock.since_boot() + std::min<std::chrono::nanoseconds>(patience, kLongestCall);
}

Patience NasMounts::left(Deadline deadline) const {
  const auto time = std::chrono::floor<Patience>(deadline - parts_.clock.since_boot());
  return std::max(time, Patience::zero());
}

Result<std::optional<mount::MountEntry>> NasMounts::entry_at(const std::string& target) const {
  HOLDFAST_TRY(const auto mounts, parts_.table());
  const mount::MountEntry* entry = mount::mounted_at(*mounts, target);
  return entry != nullptr ? std::optional(*entry) : std::nullopt;
}

ServerHealth NasMounts::health_of(const mount::MountEntry& entry) const {
  const auto server = server_of(entry);
  return server ? parts_.servers.health(*server) : ServerHealth{};
}

Status NasMounts::ask(const ServerAddress& server, Deadline deadline,
                      const std::function<Status(Patience)>& call) {
  const ServerHealth health = parts_.servers.settled(server, left(deadline));
  if (health.state != ServerState::kAlive) return tl::unexpected(no_answer(server, health));
  HOLDFAST_TRY(const Turns::Turn turn, server_turns_.take(server.text(), left(deadline)));
  const ServerHealth now = parts_.servers.health(server);
  const Patience patience = left(deadline);
  // It may have died while others had their turn.
  if (now.state == ServerState::kDead || patience == Patience::zero()) {
    return tl::unexpected(no_answer(server, now));
  }
  Status done = call(patience);
  if (done || done.error().code != Code::kDeadlineExceeded) return done;
  parts_.servers.suspect(server);
  return fail(Code::kUnavailable, done.error().message);
}

Result<ServerAddress> NasMounts::address_of(const NasShare& share, const NasOptions& options,
                                            Deadline deadline) {
  if (is_address(share.host)) return ServerAddress{share.host, options.port};
  HOLDFAST_TRY(std::string address,
               parts_.calls.resolve(share.host, std::min<Patience>(left(deadline), kSettledPatience)));
  const std::scoped_lock lock(mutex_);
  addresses_[share.host] = address;
  return ServerAddress{std::move(address), options.port};
}

std::optional<ServerAddress> NasMounts::known_address(const NasShare& share,
                                                      const NasOptions& options) const {
  if (is_address(share.host)) return ServerAddress{share.host, options.port};
  const std::scoped_lock lock(mutex_);
  const auto found = addresses_.find(share.host);
  if (found == addresses_.end()) return std::nullopt;
  return ServerAddress{found->second, options.port};
}

// The first server that lives.
Result<NasMounts::Reached> NasMounts::reach(const NasSource& source, Deadline deadline) {
  std::optional<Error> first;
  for (const NasShare& share : source.shares) {
    const auto server = address_of(share, source.options, deadline);
    std::optional<Error> error;
    if (!server) {
      error = server.error();
      error->code = Code::kUnavailable;
    } else {
      const ServerHealth health =
          parts_.servers.settled(*server, std::min<Patience>(left(deadline), kSettledPatience));
      if (health.state == ServerState::kAlive) return Reached{share, *server};
      error = no_answer(*server, health);
    }
    if (!first) first = std::move(error);
  }
  return tl::unexpected(*std::move(first));
}

Status NasMounts::make_missing(const NasSource& source, const Reached& reached, const std::string& at,
                               Deadline deadline) {
  const std::string& path = reached.share.path;
  const mount::MountOptions options = kernel_options(source.options, reached.server.address);
  Status done = fail(Code::kNotFound, reached.share.source() + " is not there");
  for (std::string parent = path; !done && parent != "/";) {
    if (!may_be_missing(done.error())) return done;
    parent = parent_of(parent);
    const MakeFolderRequest request{.source = NasShare{reached.share.host, parent}.source(),
                                    .options = options,
                                    .at = at,
                                    .path = below(path, parent)};
    done = ask(reached.server, deadline, [&](Patience patience) {
      return parts_.calls.make_folder(reached.server.text(), request, patience);
    });
  }
  return done;
}

Status NasMounts::mount_or_make(const NasSource& source, const Reached& reached, const std::string& shared,
                                Deadline deadline) {
  const MountShareRequest request{.source = reached.share.source(),
                                  .options = kernel_options(source.options, reached.server.address),
                                  .target = shared};
  const auto mount = [&](Patience patience) {
    return parts_.calls.mount(reached.server.text(), request, patience);
  };
  Status done = ask(reached.server, deadline, mount);
  const bool writable = !request.options.read_only();
  if (done || !may_be_missing(done.error()) || !writable || reached.share.path == "/") return done;
  const Status made = make_missing(source, reached, shared, deadline);
  if (!made && done.error().code == Code::kPermissionDenied && may_be_missing(made.error())) return done;
  if (!made)
    return tl::unexpected(Error(made.error()).within("make the missing folder of " + request.source));
  return ask(reached.server, deadline, mount);
}

Status NasMounts::prepare_locks(const NasSource& source, Deadline deadline) {
  if (!locks_at_server(source.options)) return {};
  Status done = parts_.calls.start_lock_services(left(deadline));
  if (done || done.error().code != Code::kDeadlineExceeded) return done;
  return fail(Code::kUnavailable, done.error().message);
}

Result<mount::MountEntry> NasMounts::mount_share(const NasSource& source, const std::string& shared,
                                                 Deadline deadline) {
  HOLDFAST_TRY(const Reached reached, reach(source, deadline));
  HOLDFAST_CHECK(prepare_locks(source, deadline));
  HOLDFAST_CHECK(mount_or_make(source, reached, shared, deadline));
  HOLDFAST_TRY(std::optional<mount::MountEntry> entry, entry_at(shared));
  if (!entry) return fail(Code::kUnavailable, "the mount of " + reached.share.source() + " was taken away");
  return *std::move(entry);
}

Status NasMounts::show(const NasSource& source, const mount::MountEntry& share, const std::string& target,
                       Deadline deadline) {
  const auto server = server_of(share);
  if (!server) return fail(Code::kInternal, share.target + " is mounted from no server that is told");
  HOLDFAST_CHECK(ask(*server, deadline, [&](Patience patience) {
    return parts_.calls.bind(server->text(),
                             {.source = share.target,
                              .part = source.subdirectory,
                              .target = target,
                              .read_only = false,
                              .make_parents = true},
                             patience);
  }));
  if (!source.mode) return {};
  return ask(*server, deadline, [&](Patience patience) {
    return parts_.calls.set_mode(server->text(), target, *source.mode, patience);
  });
}

Status NasMounts::stage(const NasSource& source, const std::string& target, Deadline deadline) {
  const std::string hash = source.key_hash();
  const std::string shared = parts_.shared_folder + "/" + hash;
  HOLDFAST_TRY(const Turns::Turn turn, share_turns_.take(hash, left(deadline)));
  HOLDFAST_TRY(const auto there, entry_at(target));
  HOLDFAST_TRY(std::optional<mount::MountEntry> share, entry_at(shared));
  if (there) {
    mount::MountEntry wanted = share.value_or(*there);
    if (share) wanted.source = source_of_part(share->source, source.subdirectory);
    if (is_of_source(*there, source) && show_the_same(*there, wanted)) return {};
    return fail(Code::kAlreadyExists, target + " has something else mounted: " + there->source + there->root);
  }
  if (share) {
    Status done = show(source, *share, target, deadline);
    if (done || done.error().sys_errno != ESTALE) return done;
    // The server has forgotten what is mounted, so that it serves nobody any more: a new mount does.
    HOLDFAST_CHECK(unmount_lazily(server_of(*share),
                                  {.target = shared, .how = Unmount::kLazily, .remove = false}, deadline));
  }
  HOLDFAST_TRY(share, mount_share(source, shared, deadline));
  return show(source, *share, target, deadline);
}

Status NasMounts::publish(const std::string& staged, const std::string& target, bool read_only,
                          Deadline deadline) {
  HOLDFAST_TRY(const auto from, entry_at(staged));
  const auto server = from ? server_of(*from) : std::nullopt;
  if (!server) return fail(Code::kFailedPrecondition, "the volume is not staged at " + staged);
  HOLDFAST_TRY(const auto there, entry_at(target));
  if (there) {
    const bool same = show_the_same(*there, *from) && there->read_only() == (read_only || from->read_only());
    if (same) return {};
    return fail(Code::kAlreadyExists, target + " is mounted otherwise: " + there->source + there->root +
                                          " (" + there->options + ")");
  }
  return ask(*server, deadline, [&](Patience patience) {
    return parts_.calls.bind(
        server->text(),
        {.source = staged, .part = {}, .target = target, .read_only = read_only, .make_parents = false},
        patience);
  });
}

Result<bool> NasMounts::unmount_orderly(const ServerAddress& server, const UnmountRequest& request,
                                        Deadline deadline) {
  const auto turn = server_turns_.take(server.text(), std::min<Patience>(left(deadline), kOrderlyPatience));
  if (!turn) return false;
  const Status done =
      parts_.calls.unmount(server.text(), request, std::min<Patience>(left(deadline), kOrderlyPatience));
  if (done) return true;
  const bool late = done.error().code == Code::kDeadlineExceeded;
  const bool kept_out = done.error().code == Code::kUnavailable && done.error().sys_errno == 0;
  if (!late && !kept_out) return tl::unexpected(done.error());
  parts_.servers.suspect(server);
  return false;
}

Status NasMounts::unmount_lazily(const std::optional<ServerAddress>& server, const UnmountRequest& request,
                                 Deadline deadline) {
  Status done = parts_.calls.unmount(server ? server->text() : "", request,
                                     std::max<Patience>(left(deadline), kLazyPatience));
  if (done || done.error().code != Code::kDeadlineExceeded) return done;
  // It waits for what the last mount of a file system has still to write; the mount itself is gone.
  HOLDFAST_TRY(const auto there, entry_at(request.target));
  return there ? Status(fail(Code::kUnavailable, done.error().message)) : Status{};
}

Status NasMounts::unmount(const std::string& target, bool remove, Deadline deadline) {
  HOLDFAST_TRY(const auto there, entry_at(target));
  UnmountRequest request{.target = target, .how = Unmount::kOrderly, .remove = remove};
  if (there && !is_nfs(*there)) {
    return fail(Code::kFailedPrecondition,
                target + " has something else mounted: " + there->source + there->root);
  }
  if (!there && !remove) return {};
  const auto server = there ? server_of(*there) : std::nullopt;
  if (server) {
    const auto patience = std::min<Patience>(left(deadline), kSettledPatience);
    if (parts_.servers.settled(*server, patience).state == ServerState::kAlive) {
      HOLDFAST_TRY(const bool done, unmount_orderly(*server, request, deadline));
      if (done) return {};
    }
  }
  request.how = Unmount::kLazily;
  return unmount_lazily(server, request, deadline);
}

Result<block::VolumeUsage> NasMounts::look(const std::string& target, Deadline deadline) {
  HOLDFAST_TRY(const auto there, entry_at(target));
  const auto server = there ? server_of(*there) : std::nullopt;
  if (!server) return fail(Code::kNotFound, target + " has no NFS mounted");
  block::VolumeUsage usage;
  HOLDFAST_CHECK(ask(*server, deadline, [&](Patience patience) -> Status {
    HOLDFAST_TRY(usage, parts_.calls.look(server->text(), target, patience));
    return {};
  }));
  return usage;
}

bool NasMounts::is_due(const mount::MountEntry& share, bool used, std::chrono::nanoseconds at_least) {
  const std::scoped_lock lock(mutex_);
  if (used) {
    unused_.erase(share.target);
    return false;
  }
  const auto now = parts_.clock.since_boot();
  const auto since = unused_.try_emplace(share.target, now).first->second;
  return now - since >= at_least && health_of(share).state == ServerState::kAlive;
}

void NasMounts::drop_share(const std::string& shared, Deadline deadline) {
  const auto turn = share_turns_.take(shared.substr(parts_.shared_folder.size() + 1), {});
  const auto mounts = parts_.table();
  if (!turn || !mounts) return;
  const mount::MountEntry* share = mount::mounted_at(**mounts, shared);
  if (share == nullptr || is_used_outside(**mounts, *share, parts_.shared_folder)) return;
  const auto server = server_of(*share);
  if (!server) return;
  // One that does not succeed is tried again by the next sweep.
  const auto done =
      unmount_orderly(*server, {.target = shared, .how = Unmount::kOrderly, .remove = true}, deadline);
  if (!done || !*done) return;
  const std::scoped_lock lock(mutex_);
  unused_.erase(shared);
}

void NasMounts::sweep(std::chrono::nanoseconds at_least, Deadline deadline) {
  const auto mounts = parts_.table();
  if (!mounts) return;
  for (const mount::MountEntry& share : **mounts) {
    if (!is_nfs(share) || parent_of(share.target) != parts_.shared_folder) continue;
    const bool used = is_used_outside(**mounts, share, parts_.shared_folder);
    if (is_due(share, used, at_least)) drop_share(share.target, deadline);
  }
  drop_folders();
}

// Those that children left which were killed.
void NasMounts::drop_folders() {
  std::error_code error;
  for (std::filesystem::directory_iterator it(parts_.shared_folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string folder = it->path().native();
    const auto turn = share_turns_.take(it->path().filename().native(), {});
    const auto there = entry_at(folder);
    if (!turn || !there || *there) continue;
    static_cast<void>(
        parts_.calls.unmount("", {.target = folder, .how = Unmount::kLazily, .remove = true}, kLazyPatience));
  }
}

}  // namespace holdfast::nas
