#include "common/base/worker.h"

#include <utility>

namespace holdfast {

Worker::Worker(EventLoop& loop) : loop_(loop), thread_([this] { work(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  news_.notify_one();
  thread_.join();
}

void Worker::run(Job job, EventLoop::Callback done) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(job), std::move(done)});
  }
  news_.notify_one();
}

void Worker::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    entry.job();
    entry.job = nullptr;  // what it held ends here, not on the event loop
    loop_.post(std::move(entry.done));
  }
}

}  // namespace holdfast
