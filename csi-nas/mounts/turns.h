#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "common/base/result.h"

namespace holdfast::nas {

/// One at a time for each name, and the others wait. May be used from any thread.
class Turns {
 public:
  class Turn;

  Turns() = default;
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  ~Turns() = default;

  /// Holds the name until the Turn ends, which must be before this ends. Errors: kUnavailable when it is
  /// held by others for longer than `patience`.
  [[nodiscard]] Result<Turn> take(const std::string& name, std::chrono::nanoseconds patience);

 private:
  void release(const std::string& name);

  std::mutex mutex_;  // guards taken_
  std::condition_variable news_;
  std::set<std::string> taken_;
};

/// A name that is held.
class Turns::Turn {
 public:
  Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)), name_(std::move(other.name_)) {}
  Turn& operator=(Turn&&) = delete;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (turns_ != nullptr) turns_->release(name_);
  }

 private:
  friend class Turns;
  Turn(Turns& turns, std::string name) : turns_(&turns), name_(std::move(name)) {}

  Turns* turns_;
  std::string name_;
};

}  // namespace holdfast::nas
