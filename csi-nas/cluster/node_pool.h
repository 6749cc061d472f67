#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/kube/object_client.h"

namespace holdfast::nas {

/// Which pool a node is in, by the label kNodePoolLabel of its Node. Asked for at every start and now and
/// then, and kept for starts without an API server:
///
///     <folder>/pool    state_file.h, kind "node-pool"; empty: in none
///
/// Belongs to the event loop, but for name().
class NodePool {
 public:
  /// All outlive it.
  struct Context {
    EventLoop& loop;
    kube::ObjectClient& client;
    Files& files;
    Logger& log;
  };

  /// `found` is called when the server has told the pool, "" for none, first and when it has changed.
  NodePool(const Context& context, std::string node, std::filesystem::path folder,
           std::function<void(const std::string& pool)> found);
  NodePool(const NodePool&) = delete;
  NodePool& operator=(const NodePool&) = delete;
  ~NodePool() = default;

  void start() { ask(); }
  /// From any thread; "" for none. Errors: kUnavailable when it was never told.
  [[nodiscard]] Result<std::string> name() const;

 private:
  void ask();
  void told(const Result<nlohmann::json>& node);
  void keep(const std::string& pool);

  Context context_;
  const std::string node_;
  const std::filesystem::path folder_;
  std::function<void(const std::string&)> found_;
  bool was_told_ = false;  // by the server, since the start
  kube::ObjectClient::CallPtr call_;
  EventLoop::Timer again_;
  mutable std::mutex mutex_;         // guards name_
  std::optional<std::string> name_;  // unset: not known
};

}  // namespace holdfast::nas
