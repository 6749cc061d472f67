#include "egw-gateway/access/api_pool_source.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

kube::WatchOptions watch_of_all() {
  kube::WatchOptions out;
  out.resource = {.group = std::string(kEdgeGatewayGroup),
                  .version = std::string(kEdgeGatewayVersion),
                  .plural = std::string(kEdgeGatewayPlural)};
  out.kept = {"apiVersion", "kind", "metadata.generation", "spec"};
  return out;
}

}  // namespace

ApiPoolSource::ApiPoolSource(EventLoop& loop, kube::ClusterLink& link)
    : watcher_(loop, link.watches(), watch_of_all(), *this, link.seed()) {}

Status ApiPoolSource::start(PoolConsumer& consumer) {
  consumer_ = &consumer;
  watcher_.start();
  return {};
}

void ApiPoolSource::put(const kube::ObjectId& id, const nlohmann::json& object) {
  seen_.insert(id.name);
  nlohmann::json whole = object;  // items of a list have no kind of their own
  whole["apiVersion"] = kEdgeGatewayApiVersion;
  whole["kind"] = kEdgeGatewayKind;
  Result<EdgeGateway> gateway = decode_edge_gateway(JsonObject(&whole, ""));
  if (!gateway) {
    troubles_[id.name] = "EdgeGateway " + id.name + " cannot be used: " + gateway.error().message;
    return tell_health();
  }
  troubles_.erase(id.name);
  tell_health();
  uids_[id.name] = id.uid;
  consumer_->told(*std::move(gateway));
}

void ApiPoolSource::removed(const kube::ObjectId& id) {
  const auto known = uids_.find(id.name);
  const bool another_life =
      known != uids_.end() && !known->second.empty() && !id.uid.empty() && id.uid != known->second;
  if (another_life) return;
  uids_.erase(id.name);
  troubles_.erase(id.name);
  consumer_->gone(id.name);
}

void ApiPoolSource::list_authoritative() {
  std::erase_if(uids_, [&](const auto& entry) { return !seen_.contains(entry.first); });
  std::erase_if(troubles_, [&](const auto& entry) { return !seen_.contains(entry.first); });
  consumer_->only(seen_);
}

void ApiPoolSource::tell_health() { consumer_->health(troubles_.empty() ? "" : troubles_.begin()->second); }

}  // namespace holdfast::gateway
