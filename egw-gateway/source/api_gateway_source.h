#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/kube/cluster_link.h"
#include "common/kube/watcher.h"
#include "egw-gateway/source/gateway_source.h"

namespace holdfast::gateway {

/// The pool's object by the API server: one watch of that one object, by the field metadata.name. Gone is
/// what an authoritative list does not hold (watcher.h) or what was deleted under the UID that was seen.
class ApiGatewaySource final : public GatewaySource, private kube::WatchConsumer {
 public:
  /// `link` is its connection; `loop` outlives it.
  ApiGatewaySource(EventLoop& loop, std::unique_ptr<kube::ClusterLink> link, std::string pool);
  ApiGatewaySource(const ApiGatewaySource&) = delete;
  ApiGatewaySource& operator=(const ApiGatewaySource&) = delete;
  ~ApiGatewaySource() override;

  Status start(GatewayConsumer& consumer) override;
  void look_again() override {}

 private:
  void list_begun() override { seen_ = false; }
  void put(const kube::ObjectId& id, const nlohmann::json& object) override;
  void removed(const kube::ObjectId& id) override;
  void list_read() override { consumer_->health(""); }
  void list_authoritative() override;
  void version(const std::string& /*resource_version*/) override { consumer_->health(trouble_); }
  void connected() override { consumer_->health(trouble_); }
  void trouble(const Error& error) override { consumer_->health("the API server: " + error.message); }

  std::string pool_;
  std::string uid_;      // of the object last seen
  std::string trouble_;  // the object cannot be used
  bool seen_ = false;    // since the last list began
  GatewayConsumer* consumer_ = nullptr;
  std::unique_ptr<kube::ClusterLink> link_;
  kube::Watcher watcher_;
};

}  // namespace holdfast::gateway
