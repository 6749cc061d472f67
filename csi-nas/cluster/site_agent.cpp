#include "csi-nas/cluster/site_agent.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/sha.h"
#include "csi-nas/cluster/nas_names.h"

namespace holdfast::nas {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kWritePatience{10};
constexpr std::chrono::milliseconds kWriteAgain{300};
constexpr std::chrono::seconds kTick{1};
constexpr unsigned kParts = 256;

kube::WatchOptions tasks_of(const std::string& site) {
  kube::WatchOptions options{.resource = nas_tasks(), .kept = task_fields()};
  options.label_selector = std::string(kSiteLabel) + "=" + site;
  options.restored_store_wait = kube::kConfirmAgain;
  return options;
}

// Where in the spread of all nodes this one's turn is, for this state of the task.
std::chrono::nanoseconds turn_of(const std::string& node, const TaskObject& task,
                                 std::chrono::nanoseconds spread) {
  std::string text = node;
  text += '/';
  text += task.id.uid;
  text += '/';
  text += std::to_string(task.status.epoch);
  const std::string digits = sha512_hex(text).substr(0, 2);
  return spread / kParts * std::stoi(digits, nullptr, 16);
}

// The share does not answer, or its child was cut off: to be tried again, here or elsewhere.
bool is_silence(Code code) { return code == Code::kUnavailable || code == Code::kDeadlineExceeded; }

}  // namespace

class SiteAgent::Next {
 public:
  void at(Time time) { time_ = std::min(time_.value_or(time), time); }
  [[nodiscard]] Time or_else(Time latest) const { return std::min(time_.value_or(latest), latest); }

 private:
  std::optional<Time> time_;
};

SiteAgent::SiteAgent(const Context& context, Options options)
    : context_(context),
      options_(std::move(options)),
      cache_(decode_task, {.changed = [this](const std::string& name) { task_changed(name); },
                           .listed = [this] { turn_soon(); },
                           .trouble =
                               [this](const Error& error) {
                                 context_.log.warning("NasTasks", {{"why", error.message}});
                               },
                           .heard = {}}),
      watcher_(context.loop, context.http, tasks_of(options_.site), cache_, options_.seed),
      next_seed_(options_.seed + 1),
      worker_(std::make_unique<Worker>(context.loop)) {}

SiteAgent::~SiteAgent() {
  *alive_ = false;
  for (const auto& [name, held] : held_) held.lease->end();
  worker_.reset();
  for (const auto& [name, held] : held_) context_.work.give_up(held.place);
}

void SiteAgent::start() {
  watcher_.start();
  turn_soon();
}

void SiteAgent::task_changed(const std::string& name) {
  const TaskObject* task = cache_.find(name);
  if (task == nullptr) {
    lose(name);
    sights_.forget(name);
    not_before_.erase(name);
  } else {
    sights_.saw(*task, now());
  }
  turn_soon();
}

// Not from within a watch's call.
void SiteAgent::turn_soon() {
  next_turn_ = context_.loop.after({}, [this] { turn(); });
}

void SiteAgent::turn() {
  if (!watcher_.watching()) sights_.heard_nothing(now());
  Next next;
  if (cache_.has_list()) {
    for (const auto& [name, task] : cache_.all()) look_at(task, next);
  }
  const Time wait = next.or_else(now() + kTick) - now();
  next_turn_ = context_.loop.after(std::max(wait, Time{}), [this] { turn(); });
}

void SiteAgent::look_at(const TaskObject& task, Next& next) {
  const std::string& name = task.id.name;
  const auto held = held_.find(name);
  if (held != held_.end()) {
    if (is_ours(task, held->second)) return tend(task, held->second, next);
    // Of one that has ended the answer is there, by a write whose own answer was lost.
    if (task.status.state == TaskState::kOpen) {
      context_.log.warning("a task is another's now",
                           {{"task", name}, {"work", told(task.spec)}, {"holder", task.status.holder}});
    }
    lose(name);
  }
  if (task.status.state == TaskState::kOpen && !calls_.contains(name)) consider(task, next);
}

bool SiteAgent::is_ours(const TaskObject& task, const Held& held) const {
  return task.id.uid == held.uid && task.status.state == TaskState::kOpen &&
         task.status.holder == options_.node && task.status.epoch == held.epoch;
}

SiteAgent::Time SiteAgent::free_at(const TaskObject& task) const {
  const TaskStatus& status = task.status;
  // Of a process of ours before this one, or taken by a write whose answer was lost.
  if (status.holder == options_.node) return now();
  const Time since = sights_.last_sign(task.id.name, now());
  const Time free = status.holder.empty() ? since : since + options_.lease;
  return free + turn_of(options_.node, task, options_.spread);
}

SiteAgent::Time SiteAgent::waits_until(const std::string& name) const {
  const auto found = not_before_.find(name);
  return found == not_before_.end() ? Time{} : found->second;
}

// Tasks that are held, or are about to be.
std::size_t SiteAgent::taken() const {
  const auto about_to_be = [this](const auto& call) { return !held_.contains(call.first); };
  return held_.size() + static_cast<std::size_t>(std::ranges::count_if(calls_, about_to_be));
}

void SiteAgent::consider(const TaskObject& task, Next& next) {
  if (taken() >= options_.most_tasks) return;
  const Time due = std::max(free_at(task), waits_until(task.id.name));
  if (due > now()) return next.at(due);
  take(task);
}

void SiteAgent::take(const TaskObject& task) {
  TaskStatus status;
  status.holder = options_.node;
  status.epoch = task.status.epoch + 1;
  write(task, status,
        [this, name = task.id.name, uid = task.id.uid, epoch = status.epoch, sent = now(),
         place = work_place(task.spec).value_or(task.id.name)] {
          Held held{.uid = uid,
                    .place = place,
                    .epoch = epoch,
                    .lease = std::make_shared<TaskLease>(),
                    .renew_at = now() + options_.renew,
                    .backoff = Backoff(options_.first_wait, options_.longest_wait, ++next_seed_)};
          held.lease->extend(sent + options_.lead);
          held_.insert_or_assign(name, std::move(held));
        });
}

void SiteAgent::tend(const TaskObject& task, Held& held, Next& next) {
  const std::string& name = task.id.name;
  if (held.lease->is_over(now())) {
    context_.log.warning("a task could not be renewed in time: its work is given up",
                         {{"task", name}, {"work", told(task.spec)}});
    next.at(now());
    return lose(name);
  }
  next.at(held.lease->until());
  if (!calls_.contains(name)) {
    const Time due = std::max(held.outcome ? Time{} : held.renew_at, waits_until(name));
    if (due > now()) {
      next.at(due);
    } else if (held.outcome) {
      tell_outcome(task, held);
    } else {
      renew(task, held);
    }
  }
  if (held.outcome || held.working) return;
  if (held.work_at > now()) return next.at(held.work_at);
  work(task, held);
}

void SiteAgent::renew(const TaskObject& task, const Held& held) {
  TaskStatus status = task.status;
  status.renewals += 1;
  status.progress = held.progress;
  write(task, status, [this, name = task.id.name, epoch = held.epoch, sent = now()] {
    const auto found = held_.find(name);
    if (found == held_.end() || found->second.epoch != epoch) return;
    found->second.lease->extend(sent + options_.lead);
    found->second.renew_at = now() + options_.renew;
  });
}

void SiteAgent::tell_outcome(const TaskObject& task, const Held& held) {
  TaskStatus status = *held.outcome;
  status.epoch = held.epoch;
  status.renewals = task.status.renewals + 1;
  write(task, status, [this, name = task.id.name, passed_on = status.holder.empty()] {
    held_.erase(name);
    if (passed_on) not_before_[name] = now() + options_.rest;
  });
}

// Over the state that is known, and no other.
void SiteAgent::write(const TaskObject& task, const TaskStatus& status, std::function<void()> kept) {
  const json patch{{"metadata", {{"resourceVersion", task.id.resource_version}}},
                   {"status", encode_task_status(status)}};
  calls_[task.id.name] = context_.client.merge(
      nas_tasks(), task.id.name, patch,
      [this, id = task.id, kept = std::move(kept)](const Result<json>& answer) {
        calls_.erase(id.name);
        if (answer) {
          kept();
          cache_.told(*answer);
        } else {
          not_written(id, answer.error());
        }
        turn_soon();
      },
      {.kept = task_fields(), .deadline = kWritePatience}, "status");
}

void SiteAgent::not_written(const kube::ObjectId& id, const Error& why) {
  not_before_[id.name] = std::max(waits_until(id.name), now() + kWriteAgain);
  if (why.code == Code::kNotFound) return cache_.removed(id);
  // What another has written is told by the watch.
  if (why.code != Code::kAborted) context_.log.warning("NasTasks", {{"why", why.message}});
}

void SiteAgent::work(const TaskObject& task, Held& held) {
  held.working = true;
  const SiteWorkTools tools{.shares = context_.shares, .work = context_.work, .clock = context_.loop.clock()};
  // Shared with the thread.
  const auto outcome = std::make_shared<Result<std::string>>(fail(Code::kAborted, "not looked at"));
  worker_->run([tools, spec = task.spec, place = held.place, lease = held.lease,
                outcome] { *outcome = look_at_work(tools, spec, place, *lease); },
               [this, alive = alive_, name = task.id.name, epoch = held.epoch, outcome] {
                 if (*alive) worked(name, epoch, *outcome);
               });
}

void SiteAgent::worked(const std::string& name, std::int64_t epoch, const Result<std::string>& outcome) {
  const auto found = held_.find(name);
  if (found == held_.end() || found->second.epoch != epoch) return;
  Held& held = found->second;
  held.working = false;
  if (!outcome && outcome.error().code == Code::kAborted) {
    held.progress = outcome.error().message;
    held.work_at = now() + options_.look;
    held.silent_since.reset();
    held.backoff.reset();
  } else if (!outcome && is_silence(outcome.error().code)) {
    not_answered(held, outcome.error());
  } else {
    TaskStatus ended;
    ended.holder = options_.node;
    ended.state = outcome ? TaskState::kDone : TaskState::kFailed;
    if (outcome) ended.answer = *outcome;
    if (!outcome) ended.code = outcome.error().code;
    if (!outcome) ended.message = outcome.error().message;
    if (!outcome) ended.sys_errno = outcome.error().sys_errno;
    held.outcome = std::move(ended);
  }
  turn_soon();
}

void SiteAgent::not_answered(Held& held, const Error& why) {
  held.progress = why.message;
  const Time since = held.silent_since.value_or(now());
  held.silent_since = since;
  if (now() - since < options_.pass_on) {
    held.work_at = now() + options_.first_wait / 2 + held.backoff.next();
    return;
  }
  TaskStatus left;
  left.progress = options_.node + ": " + why.message;
  held.outcome = std::move(left);
}

void SiteAgent::lose(const std::string& name) {
  const auto found = held_.find(name);
  if (found == held_.end()) return;
  found->second.lease->end();
  context_.work.give_up(found->second.place);
  held_.erase(found);
}

}  // namespace holdfast::nas
