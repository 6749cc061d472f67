#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/result.h"

namespace holdfast {

/// Runs `begin` on the event loop, and waits on this thread, which is not the loop's, until it hands over an
/// answer, now or later. Errors: kUnavailable when none came within `patience`; it may come later, to nobody.
template <class T>
Result<T> on_loop(EventLoop& loop, std::chrono::nanoseconds patience,
                  std::function<void(std::function<void(Result<T>)>)> begin) {
  struct Box {
    std::mutex mutex;  // guards answer
    std::condition_variable news;
    std::optional<Result<T>> answer;
  };
  const auto box = std::make_shared<Box>();  // shared: whoever of the two ends last
  loop.post([box, begin = std::move(begin)] {
    begin([box](Result<T> answer) {
      const std::scoped_lock lock(box->mutex);
      box->answer = std::move(answer);
      box->news.notify_all();
    });
  });
  std::unique_lock lock(box->mutex);
  const bool answered = box->news.wait_for(lock, patience, [&box] { return box->answer.has_value(); });
  if (!answered) return fail(Code::kUnavailable, "the controller is too busy to answer");
  return *std::move(box->answer);
}

}  // namespace holdfast
