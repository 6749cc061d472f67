#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/folder_watch.h"
#include "egw-gateway/source/gateway_source.h"

namespace holdfast::gateway {

/// What a folder holds.
struct FolderGateways {
  std::vector<EdgeGateway> gateways{};
  /// Some file could not be read or used, or there is none: what is not there may be.
  std::string trouble{};
};

/// Reads the files *.yaml, *.yml and *.json of a folder, as decode_edge_gateway_documents() does; names that
/// begin with a dot are skipped. Of a pool that stands in two files the last by name counts. A link is
/// followed, as a mounted ConfigMap has it. A folder that is absent, or holds no such file, says nothing.
[[nodiscard]] FolderGateways read_gateways(Files& files, const std::filesystem::path& folder);

/// Whether what happened in the folder may be about such a file.
[[nodiscard]] bool concerns_gateways(const Result<FolderNews>& news);

/// What a folder says of one pool.
struct FolderAnswer {
  std::optional<EdgeGateway> gateway{};
  /// Some file could not be read or used, or there is none: what is not there may be.
  std::string trouble{};
};

[[nodiscard]] FolderAnswer read_gateway_folder(Files& files, const std::filesystem::path& folder,
                                               const std::string& pool);

/// The pool's object as a file, without a cluster: watched, and read again now and then. A folder in which
/// other pools stand and every file could be used says with authority that ours is gone.
class DirGatewaySource final : public GatewaySource {
 public:
  /// `loop` and `files` outlive it.
  DirGatewaySource(EventLoop& loop, Files& files, std::filesystem::path folder, std::string pool)
      : loop_(loop), files_(files), folder_(std::move(folder)), pool_(std::move(pool)) {}

  Status start(GatewayConsumer& consumer) override;
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
  std::string pool_;
  GatewayConsumer* consumer_ = nullptr;
  std::optional<FolderWatch> changes_;
  EventLoop::Watch watch_;
  EventLoop::Timer next_;
};

}  // namespace holdfast::gateway
