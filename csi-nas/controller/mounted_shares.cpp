#include "csi-nas/controller/mounted_shares.h"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace holdfast::nas {
namespace {

// The share itself, to write to.
NasSource whole_of(const NasSource& source) {
  NasSource whole = source;
  whole.shares.resize(1);
  whole.subdirectory.clear();
  whole.mode.reset();
  if (whole.options.has("ro")) set_word(whole.options, "rw");
  return whole;
}

}  // namespace

MountedShares::MountedShares(NasMounts& mounts, const ServerStates& servers, Clock& clock, std::string folder)
    : mounts_(mounts), servers_(servers), clock_(clock), folder_(std::move(folder)) {}

Result<std::string> MountedShares::mounted_at(const NasSource& source, std::chrono::milliseconds patience) {
  const NasMounts::Deadline deadline = mounts_.deadline(patience);
  const NasSource whole = whole_of(source);
  const std::string hash = whole.key_hash();
  HOLDFAST_TRY(const Turns::Turn turn, turns_.take(hash, patience));
  {
    const std::scoped_lock lock(mutex_);
    asked_[hash] = clock_.since_boot();
  }
  std::string target = folder_ + "/" + hash;
  HOLDFAST_CHECK(show(whole, target, deadline));
  return target;
}

Status MountedShares::show(const NasSource& whole, const std::string& target, NasMounts::Deadline deadline) {
  HOLDFAST_CHECK(mounts_.stage(whole, target, deadline));
  const auto seen = mounts_.look(target, deadline);
  if (seen) return {};
  if (seen.error().sys_errno != ESTALE) return tl::unexpected(seen.error());
  HOLDFAST_CHECK(mounts_.unmount(target, false, deadline));
  HOLDFAST_CHECK(mounts_.stage(whole, target, deadline));
  HOLDFAST_CHECK(mounts_.look(target, deadline));
  return {};
}

std::string MountedShares::address_of(const NasSource& source, std::chrono::milliseconds patience) {
  const NasShare& share = source.shares.front();
  if (const auto known = mounts_.known_address(share, source.options)) return known->address;
  if (patience <= std::chrono::milliseconds::zero()) return "";
  const auto found = mounts_.address_of(share, source.options, mounts_.deadline(patience));
  return found ? found->address : "";
}

bool MountedShares::answers(const NasSource& source) {
  const auto server = mounts_.known_address(source.shares.front(), source.options);
  return !server || servers_.health(*server).state != ServerState::kDead;
}

bool MountedShares::is_due(const std::string& hash, std::chrono::nanoseconds at_least) {
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.since_boot();
  return now - asked_.try_emplace(hash, now).first->second >= at_least;
}

// Nobody is told of it while the turn is taken.
void MountedShares::drop(const std::string& hash, std::chrono::nanoseconds at_least,
                         NasMounts::Deadline deadline) {
  const auto turn = turns_.take(hash, {});
  if (!turn || !is_due(hash, at_least)) return;
  const std::string target = folder_ + "/" + hash;
  const auto there = mounts_.entry_at(target);
  if (!there) return;
  const bool alive = !*there || mounts_.health_of(**there).state == ServerState::kAlive;
  if (!alive || !mounts_.unmount(target, true, deadline)) return;
  const std::scoped_lock lock(mutex_);
  asked_.erase(hash);
}

void MountedShares::sweep(std::chrono::nanoseconds at_least, std::chrono::milliseconds patience) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_, error), end; !error && it != end;
       it.increment(error)) {
    const std::string hash = it->path().filename().native();
    if (is_due(hash, at_least)) drop(hash, at_least, mounts_.deadline(patience));
  }
}

}  // namespace holdfast::nas
