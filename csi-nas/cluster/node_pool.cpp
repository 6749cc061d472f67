#include "csi-nas/cluster/node_pool.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/state_file.h"
#include "common/kube/names.h"

namespace holdfast::nas {
namespace {

using nlohmann::json;

constexpr StateKind kKind{.name = "node-pool", .version = 1};
constexpr const char* kFile = "pool";
constexpr std::size_t kMostBytes = 1024;
constexpr std::chrono::seconds kAfterFailure{60};
constexpr std::chrono::minutes kNowAndThen{5};

std::string pool_of(const json& node) {
  const auto labels = node.value("metadata", json::object()).value("labels", json::object());
  return kube::text_of(labels, kube::kNodePoolLabel);
}

}  // namespace

NodePool::NodePool(const Context& context, std::string node, std::filesystem::path folder,
                   std::function<void(const std::string& pool)> found)
    : context_(context), node_(std::move(node)), folder_(std::move(folder)), found_(std::move(found)) {
  Result<StateFile> kept = read_state(context_.files, folder_ / kFile, kKind, kMostBytes);
  if (kept) name_ = std::move(kept->content);
}

Result<std::string> NodePool::name() const {
  const std::lock_guard lock(mutex_);
  if (name_) return *name_;
  return fail(Code::kUnavailable, "the API server has not told which pool the node " + node_ + " is in");
}

void NodePool::ask() {
  call_ = context_.client.get(
      {.group = "", .version = "v1", .plural = "nodes"}, node_,
      [this](const Result<json>& node) {
        call_.reset();
        told(node);
      },
      {.kept = {"metadata.labels"}, .deadline = std::chrono::milliseconds(0), .metadata_only = true});
}

void NodePool::told(const Result<json>& node) {
  if (!node) {
    context_.log.warning("the API server does not tell the node's pool", {{"why", node.error().message}});
    again_ = context_.loop.after(kAfterFailure, [this] { ask(); });
    return;
  }
  again_ = context_.loop.after(kNowAndThen, [this] { ask(); });
  const std::string pool = pool_of(*node);
  const Result<std::string> before = name();
  if (!before || *before != pool) keep(pool);
  const bool is_news = !std::exchange(was_told_, true) || !before || *before != pool;
  if (is_news) found_(pool);
}

// Where it cannot be kept it is asked for again at the next start.
void NodePool::keep(const std::string& pool) {
  {
    const std::lock_guard lock(mutex_);
    name_ = pool;
  }
  const Status kept = write_state(context_.files, folder_ / kFile, kKind, pool);
  if (!kept) context_.log.warning("the node's pool cannot be kept", {{"why", kept.error().message}});
}

}  // namespace holdfast::nas
