#include "csi-disk/backend/shared_looks.h"

#include <algorithm>
#include <set>
#include <utility>

namespace holdfast::disk {

using std::chrono::nanoseconds;

namespace {

// A call that is so old is waited for no longer by those who come after it.
constexpr std::chrono::seconds kSlow{2};

}  // namespace

struct SharedLooks::Batch {
  std::set<std::string> keys;
  std::optional<Found> answer;
};

template <class Ready>
bool SharedLooks::wait(std::unique_lock<std::mutex>& lock, nanoseconds end, const Ready& ready) {
  while (!ready()) {
    const nanoseconds now = clock_.since_boot();
    if (now >= end) return false;
    changed_.wait_for(lock, end - now);
  }
  return true;
}

SharedLooks::Found SharedLooks::some_of(const Found& all, const std::vector<std::string>& keys) const {
  if (!all) return all;
  std::vector<Disk> out;
  std::ranges::copy_if(*all, std::back_inserter(out),
                       [&](const Disk& each) { return std::ranges::find(keys, each.*key_) != keys.end(); });
  return out;
}

// False: there was no time to make the call; who comes next leads.
bool SharedLooks::lead(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Batch>& batch,
                       nanoseconds end, const Ask& call) {
  const nanoseconds gathered = std::min(end, clock_.since_boot() + gather_);
  static_cast<void>(wait(lock, gathered, [&] { return batch->keys.size() >= most_; }));
  while (calls_ > 0 && clock_.since_boot() < std::min(end, last_begun_ + kSlow)) {
    static_cast<void>(wait(lock, std::min(end, last_begun_ + kSlow), [this] { return calls_ == 0; }));
  }
  if (open_ == batch) open_.reset();
  if (clock_.since_boot() >= end) {
    batch->answer = Found(cloud::ends(cloud::CallEnd::kNotSent, "no time is left for it"));
    changed_.notify_all();
    return false;
  }
  ++calls_;
  last_begun_ = clock_.since_boot();
  const std::vector<std::string> keys(batch->keys.begin(), batch->keys.end());
  lock.unlock();
  Found found = call(keys, std::chrono::duration_cast<Deadline>(end - clock_.since_boot()));
  lock.lock();
  --calls_;
  batch->answer = std::move(found);
  changed_.notify_all();
  return true;
}

std::optional<SharedLooks::Found> SharedLooks::ask(const std::vector<std::string>& keys, nanoseconds end,
                                                   const Ask& call) {
  std::unique_lock lock(mutex_);
  const bool room = open_ != nullptr && open_->keys.size() + keys.size() <= most_;
  if (room) {
    const std::shared_ptr<Batch> batch = open_;
    batch->keys.insert(keys.begin(), keys.end());
    changed_.notify_all();
    if (!wait(lock, end, [&] { return batch->answer.has_value(); })) return std::nullopt;
    return some_of(*batch->answer, keys);
  }
  const auto batch = std::make_shared<Batch>();
  batch->keys.insert(keys.begin(), keys.end());
  open_ = batch;
  if (!lead(lock, batch, end, call)) return std::nullopt;
  return some_of(*batch->answer, keys);
}

}  // namespace holdfast::disk
