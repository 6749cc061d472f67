#include "egw-gateway/source/api_gateway_source.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

// Each watch of one object that hardly changes costs a request; one that died unseen is noticed by TCP.
constexpr std::chrono::minutes kShortestWatch{30};
constexpr std::chrono::minutes kLongestWatch{60};

kube::WatchOptions watch_of(const std::string& pool) {
  kube::WatchOptions out;
  out.resource = {.group = std::string(kEdgeGatewayGroup),
                  .version = std::string(kEdgeGatewayVersion),
                  .plural = std::string(kEdgeGatewayPlural)};
  out.field_selector = "metadata.name=" + pool;
  out.kept = {"apiVersion", "kind", "metadata.generation", "spec"};
  out.shortest_watch = kShortestWatch;
  out.longest_watch = kLongestWatch;
  return out;
}

}  // namespace

ApiGatewaySource::ApiGatewaySource(EventLoop& loop, std::unique_ptr<kube::ClusterLink> link, std::string pool)
    : pool_(std::move(pool)),
      link_(std::move(link)),
      watcher_(loop, link_->watches(), watch_of(pool_), *this, link_->seed()) {}

ApiGatewaySource::~ApiGatewaySource() = default;

Status ApiGatewaySource::start(GatewayConsumer& consumer) {
  consumer_ = &consumer;
  watcher_.start();
  return {};
}

void ApiGatewaySource::put(const kube::ObjectId& id, const nlohmann::json& object) {
  if (id.name != pool_) return;
  seen_ = true;
  nlohmann::json whole = object;  // items of a list have no kind of their own
  whole["apiVersion"] = kEdgeGatewayApiVersion;
  whole["kind"] = kEdgeGatewayKind;
  Result<EdgeGateway> gateway = decode_edge_gateway(JsonObject(&whole, ""));
  trouble_ = gateway ? "" : "EdgeGateway " + pool_ + " cannot be used: " + gateway.error().message;
  consumer_->health(trouble_);
  if (!gateway) return;
  uid_ = id.uid;
  consumer_->told(*std::move(gateway));
}

void ApiGatewaySource::removed(const kube::ObjectId& id) {
  const bool another_life = !uid_.empty() && !id.uid.empty() && id.uid != uid_;
  if (id.name != pool_ || another_life) return;
  trouble_.clear();
  consumer_->gone();
}

void ApiGatewaySource::list_authoritative() {
  if (seen_) return;
  trouble_.clear();
  consumer_->gone();
}

}  // namespace holdfast::gateway
