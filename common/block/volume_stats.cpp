#include "common/block/volume_stats.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace holdfast::block {

struct VolumeStats::State {
  struct Volume {
    std::string path;
    std::uint64_t generation = 0;  // tells a volume from an earlier one of the same name
    std::chrono::nanoseconds due{};
    bool waiting = false;                             // in the queue
    std::optional<std::chrono::nanoseconds> started;  // of the look that is under way
    std::chrono::nanoseconds taken{};
    VolumeSample sample;
  };
  struct Job {
    std::string volume;
    std::string path;
    std::uint64_t generation;
  };

  std::shared_ptr<VolumeProbe> probe;
  VolumeStatsOptions options;
  mutable std::mutex mutex;  // guards all below
  std::condition_variable news;
  std::condition_variable looked;  // a look has ended
  Clock* clock = nullptr;          // unset at the end, when stuck looks may still return
  std::map<std::string, Volume> volumes;
  std::map<std::uint64_t, std::chrono::nanoseconds>
      looks;  // under way, by generation; also of removed volumes
  std::deque<Job> queue;
  std::size_t threads = 0;
  std::uint64_t last_generation = 0;

  [[nodiscard]] std::size_t count_stuck() const {
    const auto now = clock->since_boot();
    return static_cast<std::size_t>(
        std::ranges::count_if(looks, [&](const auto& look) { return now - look.second > options.patience; }));
  }
  void queue_due();
  std::optional<Job> next_job(std::unique_lock<std::mutex>& lock);
  void keep(const Job& job, Result<VolumeLook> seen);
};

void VolumeStats::State::queue_due() {
  const auto now = clock->since_boot();
  for (auto& [name, volume] : volumes) {
    if (volume.waiting || volume.started || volume.due > now) continue;
    volume.waiting = true;
    queue.push_back({name, volume.path, volume.generation});
  }
}

// Waits for one; nullopt: the thread is to end.
std::optional<VolumeStats::State::Job> VolumeStats::State::next_job(std::unique_lock<std::mutex>& lock) {
  while (true) {
    // A thread that was stuck is one too many when it comes back.
    if (clock == nullptr || threads - count_stuck() > 1) return std::nullopt;
    if (!queue.empty()) break;
    news.wait(lock);
  }
  Job job = std::move(queue.front());
  queue.pop_front();
  return job;
}

void VolumeStats::State::keep(const Job& job, Result<VolumeLook> seen) {
  const auto found = volumes.find(job.volume);
  if (clock == nullptr || found == volumes.end() || found->second.generation != job.generation) return;
  Volume& volume = found->second;
  const auto now = clock->since_boot();
  volume.started.reset();
  volume.due = now + (seen ? options.interval : std::min(options.again, options.interval));
  volume.sample.trouble = seen ? "" : seen.error().message;
  looked.notify_all();
  if (!seen) return;
  volume.sample.usage = seen->usage;
  volume.sample.io_errors = seen->io_errors;
  volume.taken = now;
}

void VolumeStats::work(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (const auto job = state->next_job(lock)) {
    const auto found = state->volumes.find(job->volume);
    if (found == state->volumes.end() || found->second.generation != job->generation) continue;
    found->second.waiting = false;
    found->second.started = state->clock->since_boot();
    state->looks[job->generation] = *found->second.started;
    lock.unlock();
    auto seen = state->probe->look(job->path);
    lock.lock();
    state->looks.erase(job->generation);
    state->keep(*job, std::move(seen));
  }
  --state->threads;
  state->news.notify_all();
}

VolumeStats::VolumeStats(std::shared_ptr<VolumeProbe> probe, Clock& clock, VolumeStatsOptions options)
    : state_(std::make_shared<State>()) {
  state_->probe = std::move(probe);
  state_->options = options;
  state_->clock = &clock;
}

VolumeStats::~VolumeStats() {
  std::unique_lock lock(state_->mutex);
  state_->clock = nullptr;
  state_->queue.clear();
  state_->news.notify_all();
  state_->news.wait(lock, [&] { return state_->threads == state_->looks.size(); });
}

void VolumeStats::add(const std::string& volume, const std::string& path,
                      const std::optional<VolumeUsage>& last) {
  const std::scoped_lock lock(state_->mutex);
  State::Volume& entry = state_->volumes[volume];
  if (entry.generation != 0 && entry.path == path) return;
  entry = {};
  entry.path = path;
  entry.generation = ++state_->last_generation;
  entry.sample.usage = last;
}

void VolumeStats::remove(const std::string& volume) {
  const std::scoped_lock lock(state_->mutex);
  state_->volumes.erase(volume);
}

void VolumeStats::tick() {
  const std::scoped_lock lock(state_->mutex);
  state_->queue_due();
  if (state_->queue.empty()) return;
  const bool all_stuck = state_->count_stuck() == state_->threads;
  if (all_stuck && state_->threads < state_->options.most_threads) {
    ++state_->threads;
    std::thread(work, state_).detach();
  }
  state_->news.notify_one();
}

std::optional<VolumeSample> VolumeStats::latest(const std::string& volume) const {
  const std::scoped_lock lock(state_->mutex);
  const auto found = state_->volumes.find(volume);
  if (found == state_->volumes.end()) return std::nullopt;
  const auto now = state_->clock->since_boot();
  VolumeSample sample = found->second.sample;
  sample.age = now - found->second.taken;
  const auto& started = found->second.started;
  if (started && now - *started > state_->options.patience) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now - *started).count();
    sample.trouble = "the file system at " + found->second.path + " has not answered for " +
                     std::to_string(seconds) + " s";
  }
  return sample;
}

std::optional<VolumeSample> VolumeStats::first(const std::string& volume,
                                               std::chrono::milliseconds patience) {
  const auto seen = [&] {
    const auto found = state_->volumes.find(volume);
    return found == state_->volumes.end() || found->second.sample.usage ||
           !found->second.sample.trouble.empty();
  };
  std::unique_lock lock(state_->mutex);
  if (!seen()) {
    lock.unlock();
    tick();
    lock.lock();
    state_->looked.wait_for(lock, patience, seen);
  }
  lock.unlock();
  return latest(volume);
}

std::map<std::string, VolumeUsage> VolumeStats::usages() const {
  const std::scoped_lock lock(state_->mutex);
  std::map<std::string, VolumeUsage> out;
  for (const auto& [name, volume] : state_->volumes) {
    if (volume.sample.usage) out.emplace(name, *volume.sample.usage);
  }
  return out;
}

std::size_t VolumeStats::stuck() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->count_stuck();
}

}  // namespace holdfast::block
