#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/folder_watch.h"
#include "egw-gateway/access/pool_source.h"

namespace holdfast::gateway {

/// All pools' objects as files, without a cluster: watched, and read again now and then. A folder in which
/// every file could be used, and in which there is any, says with authority which pools are gone.
class DirPoolSource final : public PoolSource {
 public:
  /// `loop` and `files` outlive it.
  DirPoolSource(EventLoop& loop, Files& files, std::filesystem::path folder)
      : loop_(loop), files_(files), folder_(std::move(folder)) {}

  Status start(PoolConsumer& consumer) override;
  void look_again() override { read_after({}); }

 private:
  static constexpr std::chrono::seconds kRescan{30};
  static constexpr std::chrono::milliseconds kGather{5};  // a copy of many files is many events

  void news();
  void read();
  void read_after(std::chrono::nanoseconds delay);

  EventLoop& loop_;
  Files& files_;
  std::filesystem::path folder_;
  PoolConsumer* consumer_ = nullptr;
  std::optional<FolderWatch> changes_;
  EventLoop::Watch watch_;
  EventLoop::Timer next_;
};

}  // namespace holdfast::gateway
