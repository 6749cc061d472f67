#include "csi-lvm/lvm/lvm_queue.h"

#include <algorithm>
#include <utility>

namespace holdfast::lvm {

LvmQueue::LvmQueue(std::unique_ptr<LvmRunner> runner, std::chrono::milliseconds idle)
    : runner_(std::move(runner)), idle_(idle), thread_([this] { work(); }) {}

LvmQueue::~LvmQueue() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  news_.notify_all();
  thread_.join();
}

Result<LvmAnswer> LvmQueue::run(LvmCommand command, std::chrono::milliseconds patience) {
  const auto until = SteadyClock::now() + patience;
  const std::shared_ptr<Job> job = enter(std::move(command), patience);
  std::unique_lock lock(mutex_);
  job->answered.wait_until(lock, until, [&job] { return job->answer.has_value(); });
  --askers_;
  if (job->answer) return *job->answer;
  return leave(job);
}

std::shared_ptr<LvmQueue::Job> LvmQueue::enter(LvmCommand command, std::chrono::milliseconds patience) {
  const std::scoped_lock lock(mutex_);
  ++askers_;
  const bool report = command.effect == Effect::kReports;
  auto& queue = report ? reports_ : changes_;
  if (report) {
    const auto same = std::ranges::find_if(
        queue, [&command](const auto& waiting) { return waiting->command.words == command.words; });
    if (same != queue.end()) {
      ++(*same)->askers;
      (*same)->patience = std::max((*same)->patience, patience);
      return *same;
    }
  }
  auto job = std::make_shared<Job>();
  job->command = std::move(command);
  job->patience = patience;
  queue.push_back(job);
  news_.notify_one();
  return job;
}

// Called with the lock. What nobody waits for any more need not begin.
Result<LvmAnswer> LvmQueue::leave(const std::shared_ptr<Job>& job) {
  const std::string& verb = job->command.words.front();
  if (job->begun) return fail(Code::kDeadlineExceeded, "LVM is still at work on " + verb + ", which goes on");
  if (--job->askers == 0) {
    std::erase(changes_, job);
    std::erase(reports_, job);
  }
  return fail(Code::kDeadlineExceeded, "LVM had no time for " + verb + ", which did not begin");
}

LvmQueue::Load LvmQueue::load() const {
  const std::scoped_lock lock(mutex_);
  Load load{.askers = askers_, .waiting = changes_.size() + reports_.size()};
  if (running_since_) {
    load.running =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - *running_since_);
  }
  return load;
}

LvmQueue::Jobs LvmQueue::take_next() {
  auto& queue = changes_.empty() ? reports_ : changes_;
  Jobs jobs{queue.front()};
  queue.pop_front();
  const LvmCommand& first = jobs.front()->command;
  for (auto next = queue.begin(); next != queue.end();) {
    const bool room = first.words.size() + jobs.size() <= kMostLvmWords;
    if (!room || !may_join(first, (*next)->command)) {
      ++next;
      continue;
    }
    jobs.push_back(*next);
    next = queue.erase(next);
  }
  return jobs;
}

void LvmQueue::work() {
  std::unique_lock lock(mutex_);
  const auto something = [this] { return ending_ || !changes_.empty() || !reports_.empty(); };
  while (!ending_) {
    if (!news_.wait_for(lock, idle_, something)) {
      lock.unlock();
      runner_->rest();
      lock.lock();
      news_.wait(lock, something);
    }
    if (!ending_) perform(lock, take_next());
  }
}

void LvmQueue::perform(std::unique_lock<std::mutex>& lock, const Jobs& jobs) {
  LvmCommand command = jobs.front()->command;
  const std::chrono::milliseconds patience = jobs.front()->patience;
  for (const auto& job : jobs) {
    job->begun = true;
    if (job != jobs.front()) command.words.push_back(job->command.words.back());
  }
  running_since_ = SteadyClock::now();
  lock.unlock();
  const auto answer = runner_->run(command, patience);
  lock.lock();
  running_since_.reset();
  for (const auto& job : jobs) {
    job->answer = answer;
    job->answered.notify_all();
  }
}

}  // namespace holdfast::lvm
