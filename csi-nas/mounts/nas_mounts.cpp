#include "csi-nas/mounts/nas_mounts.h"

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

bool is_of_source(const mount::MountEntry& entry, const NasSource& source) {
  return is_nfs(entry) && std::ranges::any_of(source.shares, [&](const NasShare& share) {
           return source_of_part(share.source(), source.subdirectory) == entry.source;
         });
}

bool is_right_below(std::string_view path, const std::string& folder) {
  return path.starts_with(folder + "/") && path.rfind('/') == folder.size();
}

}  // namespace

NasMounts::NasMounts(NasMountsParts parts)
    : parts_(std::move(parts)),
      asks_(parts_.servers, parts_.clock),
      mounter_(parts_.calls, parts_.servers, asks_) {}

NasMounts::Deadline NasMounts::deadline(std::chrono::nanoseconds patience) const {
  return asks_.deadline(std::min<std::chrono::nanoseconds>(patience, kLongestCall));
}

Patience NasMounts::orderly_patience(Deadline deadline) const {
  return std::min<Patience>(asks_.left(deadline), kOrderlyPatience);
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

Result<mount::MountEntry> NasMounts::mount_share(const NasSource& source, const std::string& shared,
                                                 Deadline deadline) {
  HOLDFAST_TRY(const ReachedShare reached, mounter_.reach(source, deadline));
  HOLDFAST_CHECK(mounter_.mount(source, reached, shared, deadline));
  HOLDFAST_TRY(std::optional<mount::MountEntry> entry, entry_at(shared));
  if (!entry) return fail(Code::kUnavailable, "the mount of " + reached.share.source() + " was taken away");
  return *std::move(entry);
}

// The mode first: what is shown at the target counts as staged.
Status NasMounts::show(const NasSource& source, const mount::MountEntry& share, const std::string& target,
                       Deadline deadline) {
  const auto server = server_of(share);
  if (!server) return fail(Code::kInternal, share.target + " is mounted from no server that is told");
  if (source.mode) {
    const std::string& part = source.subdirectory;
    const std::string folder = part.empty() ? share.target : share.target + "/" + part;
    HOLDFAST_CHECK(asks_.ask(*server, deadline, [&](Patience patience) {
      return parts_.calls.set_mode(server->text(), folder, *source.mode, patience);
    }));
  }
  return asks_.ask(*server, deadline, [&](Patience patience) {
    return parts_.calls.bind(server->text(),
                             {.source = share.target,
                              .part = source.subdirectory,
                              .target = target,
                              .read_only = false,
                              .make_parents = true},
                             patience);
  });
}

Status NasMounts::stage(const NasSource& source, const std::string& target, Deadline deadline) {
  const std::string hash = source.key_hash();
  const std::string shared = parts_.shared_folder + "/" + hash;
  HOLDFAST_TRY(const Turns::Turn turn, share_turns_.take(hash, asks_.left(deadline)));
  HOLDFAST_TRY(std::optional<mount::MountEntry> share, entry_at(shared));
  HOLDFAST_TRY(const bool done, is_staged(source, share, target, deadline));
  if (done) return check_stays(target);
  if (share && is_forsaken(source, *share, deadline)) {
    HOLDFAST_CHECK(detach(*share, deadline));
    share.reset();
  }
  if (share) {
    Status shown = show(source, *share, target, deadline);
    if (shown || shown.error().sys_errno != ESTALE) return shown;
    // The server has forgotten what is mounted, so that it serves nobody any more: a new mount does.
    HOLDFAST_CHECK(detach(*share, deadline));
  }
  HOLDFAST_TRY(share, mount_share(source, shared, deadline));
  return show(source, *share, target, deadline);
}

// Whether it is, be it from another server of the source, or as its server was called before. What is there
// of a share that was mounted anew meanwhile, as its server had forgotten it, is taken away: it serves nobody
// any more.
Result<bool> NasMounts::is_staged(const NasSource& source, const std::optional<mount::MountEntry>& share,
                                  const std::string& target, Deadline deadline) {
  HOLDFAST_TRY(const auto there, entry_at(target));
  if (!there) return false;
  mount::MountEntry wanted = share.value_or(*there);
  if (share) wanted.source = source_of_part(share->source, source.subdirectory);
  const bool ours = is_of_source(*there, source);
  if (ours && show_the_same(*there, wanted)) return true;
  const auto seen = ours ? look(target, deadline) : block::VolumeUsage{};
  if (!seen && seen.error().sys_errno == ESTALE) {
    HOLDFAST_CHECK(detach(*there, deadline));
    return false;
  }
  if (ours) return true;
  return fail(Code::kAlreadyExists, target + " has something else mounted: " + shown_by(*there));
}

// What is there may be on its way out: an unmount that was late goes on.
Status NasMounts::check_stays(const std::string& target) {
  if (!parts_.calls.is_under_way(target)) return {};
  return fail(Code::kUnavailable, "what is mounted at " + target + " is being unmounted: ask again");
}

// Its server is dead, and another one of the source lives, or the server itself where its name leads to now.
// Who uses the mount keeps it.
bool NasMounts::is_forsaken(const NasSource& source, const mount::MountEntry& share, Deadline deadline) {
  if (health_of(share).state != ServerState::kDead) return false;
  const auto reached = mounter_.reach(source, deadline);
  return reached && reached->server != server_of(share);
}

Status NasMounts::detach(const mount::MountEntry& entry, Deadline deadline) {
  return unmount_lazily(server_of(entry), {.target = entry.target, .how = Unmount::kLazily, .remove = false},
                        deadline);
}

Status NasMounts::publish(const std::string& staged, const std::string& target, bool read_only,
                          Deadline deadline) {
  HOLDFAST_TRY(const auto from, entry_at(staged));
  const auto server = from ? server_of(*from) : std::nullopt;
  if (!server) return fail(Code::kFailedPrecondition, "the volume is not staged at " + staged);
  HOLDFAST_TRY(const auto there, entry_at(target));
  if (there) {
    if (is_older_than(*there, *from)) {
      return fail(Code::kFailedPrecondition, target + " shows what the NFS server of " + shown_by(*there) +
                                                 " has forgotten: start the pod anew");
    }
    const bool same = show_the_same(*there, *from) && there->read_only() == (read_only || from->read_only());
    if (same) return check_stays(target);
    return fail(Code::kAlreadyExists,
                target + " is mounted otherwise: " + shown_by(*there) + " (" + there->options + ")");
  }
  return asks_.ask(*server, deadline, [&](Patience patience) {
    return parts_.calls.bind(
        server->text(),
        {.source = staged, .part = {}, .target = target, .read_only = read_only, .make_parents = false},
        patience);
  });
}

Status NasMounts::unmount_lazily(const std::optional<ServerAddress>& server, const UnmountRequest& request,
                                 Deadline deadline) {
  Status done = parts_.calls.unmount(server ? server->text() : "", request,
                                     std::max<Patience>(asks_.left(deadline), kLazyPatience));
  if (done || done.error().code != Code::kDeadlineExceeded) return done;
  // It waits for what the last mount of a file system has still to write; the mount itself is gone.
  HOLDFAST_TRY(const auto there, entry_at(request.target));
  return there ? Status(fail(Code::kUnavailable, done.error().message)) : Status{};
}

Status NasMounts::unmount(const std::string& target, bool remove, Deadline deadline) {
  HOLDFAST_TRY(const auto there, entry_at(target));
  UnmountRequest request{.target = target, .how = Unmount::kOrderly, .remove = remove};
  if (there && !is_nfs(*there)) {
    return fail(Code::kFailedPrecondition, target + " has something else mounted: " + shown_by(*there));
  }
  if (!there && !remove) return {};
  const auto server = there ? server_of(*there) : std::nullopt;
  if (server) {
    const auto patience = std::min<Patience>(asks_.left(deadline), kSettledPatience);
    if (parts_.servers.settled(*server, patience).state == ServerState::kAlive) {
      HOLDFAST_TRY(const bool done,
                   asks_.unmount(parts_.calls, *server, request, orderly_patience(deadline)));
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
  HOLDFAST_CHECK(asks_.ask(*server, deadline, [&](Patience patience) -> Status {
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
      asks_.unmount(parts_.calls, *server, {.target = shared, .how = Unmount::kOrderly, .remove = true},
                    orderly_patience(deadline));
  if (!done || !*done) return;
  const std::scoped_lock lock(mutex_);
  unused_.erase(shared);
}

void NasMounts::sweep(std::chrono::nanoseconds at_least, Deadline deadline) {
  const auto mounts = parts_.table();
  if (!mounts) return;
  for (const mount::MountEntry& share : **mounts) {
    if (!is_nfs(share) || !is_right_below(share.target, parts_.shared_folder)) continue;
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
    if (!turn || !there || *there || parts_.calls.is_under_way(folder)) continue;
    static_cast<void>(
        parts_.calls.unmount("", {.target = folder, .how = Unmount::kLazily, .remove = true}, kLazyPatience));
  }
}

}  // namespace holdfast::nas
