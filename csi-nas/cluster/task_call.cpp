#include "csi-nas/cluster/task_call.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/csi/answers.h"
#include "csi-nas/cluster/nas_names.h"

namespace holdfast::nas {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kAgain{100};

Result<std::string> answer_of(const TaskStatus& status) {
  if (status.state == TaskState::kDone) return status.answer;
  return tl::unexpected(Error{.code = status.code.value_or(Code::kInternal),
                              .sys_errno = status.sys_errno,
                              .message = status.holder + ": " + status.message});
}

kube::CallOptions options() { return {.kept = task_fields(), .deadline = TaskCall::kToTake}; }

}  // namespace

TaskCall::TaskCall(Tools tools, std::string name, SiteOrder order, std::chrono::nanoseconds patience,
                   Done done)
    : tools_(std::move(tools)), name_(std::move(name)), order_(std::move(order)), done_(std::move(done)) {
  deadline_ = tools_.loop.after(patience, [this] { out_of_time(); });
}

void TaskCall::out_of_time() {
  if (taking_) return;  // the removal has a deadline of its own
  end(fail(Code::kAborted, waits_for_));
}

void TaskCall::step() {
  if (ended_ || call_ || again_.pending() || !tools_.cache.has_list()) return;
  const TaskObject* task = tools_.cache.find(name_);
  if (task == nullptr) return create();
  if (task->status.state != TaskState::kOpen) return remove(*task);
  waits_for_ = told(task->spec) + " " + tools_.state_of(*task);
}

void TaskCall::end(Result<std::string> result) {
  if (std::exchange(ended_, true)) return;
  call_.reset();
  again_.end();
  deadline_.end();
  done_(std::move(result));
}

void TaskCall::look_again(std::chrono::nanoseconds delay) {
  again_ = tools_.loop.after(delay, [this] { step(); });
}

void TaskCall::failed(const Error& error) {
  end(tl::unexpected(csi::may_be_left(error).within("ask the site " + order_.site)));
}

void TaskCall::create() {
  call_ = tools_.client.create(
      nas_tasks(), encode_task(name_, order_),
      [this](const Result<json>& kept) {
        call_.reset();
        if (kept) {
          tools_.cache.told(*kept);
          return look_again({});
        }
        if (kept.error().code == Code::kAlreadyExists) return read();
        failed(kept.error());
      },
      options());
}

// Its answer is ours when it is gone: who comes later does not take an old one.
void TaskCall::remove(const TaskObject& task) {
  taking_ = same_work(task.spec, order_);
  call_ = tools_.client.remove(
      nas_tasks(), name_, task.id.uid,
      [this, id = task.id, status = task.status](const Result<json>& removed) {
        call_.reset();
        const bool taken = std::exchange(taking_, false);
        if (removed) {
          tools_.cache.removed(id);
          if (taken) return end(answer_of(status));
          return look_again({});
        }
        const Code code = removed.error().code;
        // It is another, or was removed by an attempt whose answer was lost: then it is done once more, which
        // finds everything done.
        if (code == Code::kNotFound || code == Code::kAborted) return read();
        failed(removed.error());
      },
      options());
}

// What the server has now: the watch may be behind.
void TaskCall::read() {
  call_ = tools_.client.get(
      nas_tasks(), name_,
      [this](const Result<json>& found) {
        call_.reset();
        if (found) {
          tools_.cache.told(*found);
        } else if (found.error().code == Code::kNotFound) {
          tools_.cache.removed({.name = name_, .name_space = "", .uid = "", .resource_version = ""});
        } else {
          return failed(found.error());
        }
        look_again(kAgain);
      },
      options());
}

}  // namespace holdfast::nas
