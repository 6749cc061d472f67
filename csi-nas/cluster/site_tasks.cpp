#include "csi-nas/cluster/site_tasks.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/base/on_loop.h"
#include "csi-nas/cluster/nas_names.h"

namespace holdfast::nas {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::seconds kForTheLoop{2};

kube::WatchOptions all_tasks() {
  kube::WatchOptions options{.resource = nas_tasks(), .kept = task_fields()};
  options.restored_store_wait = kube::kConfirmAgain;
  return options;
}

std::string seconds_of(nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

SiteTasks::SiteTasks(const Context& context, Options options)
    : context_(context),
      options_(options),
      cache_(decode_task, {.changed = [this](const std::string& name) { task_changed(name); },
                           .listed = [this] { step_soon(); },
                           .trouble =
                               [this](const Error& error) {
                                 context_.log.warning("NasTasks", {{"why", error.message}});
                               },
                           .heard = {}}),
      watcher_(context.loop, context.http, all_tasks(), cache_, options.seed) {}

void SiteTasks::start() {
  watcher_.start();
  tick();
}

void SiteTasks::end() {
  ending_ = true;
  for (const auto& call : calls_) {
    call->give_up({.code = Code::kUnavailable, .sys_errno = 0, .message = "the controller ends; ask again"});
  }
}

Result<std::string> SiteTasks::run(const SiteOrder& order, std::chrono::milliseconds patience) {
  HOLDFAST_TRY(const std::string place, work_place(order));
  return on_loop<std::string>(context_.loop, patience + TaskCall::kToTake + kForTheLoop,
                              [this, name = task_object_name(place), order, patience](Done done) {
                                begin(name, order, patience, std::move(done));
                              });
}

std::string SiteTasks::trouble(const std::string& site) const {
  const std::lock_guard lock(mutex_);
  const auto found = troubles_.find(site);
  return found == troubles_.end() ? "" : found->second;
}

void SiteTasks::begin(const std::string& name, const SiteOrder& order, std::chrono::milliseconds patience,
                      Done done) {
  const TaskCall::Tools tools{.loop = context_.loop,
                              .client = context_.client,
                              .cache = cache_,
                              .state_of = [this](const TaskObject& task) { return state_of(task); }};
  calls_.push_back(std::make_unique<TaskCall>(tools, name, order, patience, std::move(done)));
  if (ending_) return end();
  step_soon();
}

// Not from within a watch's call: a call may ask for anything.
void SiteTasks::step_soon() {
  if (!soon_.pending()) soon_ = context_.loop.after({}, [this] { step_all(); });
}

// A call ends in its own callbacks: what has ended is taken away here, where none is on the stack.
void SiteTasks::step_all() {
  for (const auto& call : calls_) call->step();
  std::erase_if(calls_, [](const auto& call) { return call->ended(); });
}

void SiteTasks::task_changed(const std::string& name) {
  const TaskObject* task = cache_.find(name);
  if (task != nullptr) sights_.saw(*task, now());
  if (task == nullptr) sights_.forget(name);
  if (task == nullptr || task->status.state == TaskState::kOpen) answered_.erase(name);
  if (task != nullptr && task->status.state != TaskState::kOpen) answered_.try_emplace(name, now());
  step_soon();
}

void SiteTasks::tick() {
  if (!watcher_.watching()) sights_.heard_nothing(now());
  look_for_trouble();
  drop_old_answers();
  step_soon();
  tick_ = context_.loop.after(options_.tick, [this] { tick(); });
}

bool SiteTasks::is_forsaken(const TaskObject& task) const {
  return task.status.state == TaskState::kOpen &&
         now() - sights_.last_sign(task.id.name, now()) >= options_.no_node_after;
}

std::string SiteTasks::state_of(const TaskObject& task) const {
  const TaskStatus& status = task.status;
  const std::string so_far = status.progress.empty() ? "" : ": " + status.progress;
  if (is_forsaken(task)) {
    const std::string holder = status.holder.empty() ? "" : ", not even " + status.holder;
    return "(NoNodeOfSite) waits for a node of the site " + task.spec.site + ", of which none" + holder +
           " was heard of for " + seconds_of(now() - sights_.last_sign(task.id.name, now()));
  }
  if (status.holder.empty()) return "waits for a node of the site " + task.spec.site + so_far;
  return "is under way on " + status.holder + so_far;
}

void SiteTasks::look_for_trouble() {
  std::map<std::string, std::string> found;
  for (const auto& [name, task] : cache_.all()) {
    if (is_forsaken(task)) found.try_emplace(task.spec.site, told(task.spec) + " " + state_of(task));
  }
  const std::lock_guard lock(mutex_);
  troubles_ = std::move(found);
}

void SiteTasks::drop_old_answers() {
  std::vector<std::string> old;
  for (const auto& [name, since] : answered_) {
    if (now() - since >= options_.keep_answers && !drops_.contains(name)) old.push_back(name);
  }
  for (const std::string& name : old) {
    const bool wanted = std::ranges::any_of(calls_, [&](const auto& call) { return call->name() == name; });
    if (!wanted) drop(name);
  }
}

void SiteTasks::drop(const std::string& name) {
  const TaskObject* task = cache_.find(name);
  if (task == nullptr) return;
  drops_[name] = context_.client.remove(nas_tasks(), name, task->id.uid,
                                        [this, name, id = task->id](const Result<nlohmann::json>& removed) {
                                          if (removed) cache_.removed(id);
                                          drops_.erase(name);
                                        },
                                        {.kept = {}, .deadline = TaskCall::kToTake});
}

}  // namespace holdfast::nas
