#include "egw-gateway/access/pool_status.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/clock.h"
#include "common/kube/object.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

kube::Resource edge_gateways() {
  return {.group = std::string(kEdgeGatewayGroup),
          .version = std::string(kEdgeGatewayVersion),
          .plural = std::string(kEdgeGatewayPlural)};
}

}  // namespace

nlohmann::json status_of(const PoolReport& report, const std::string& access_point) {
  nlohmann::json entry{{"name", access_point},
                       {"active", report.active},
                       {"reason", report.reason},
                       {"message", report.message},
                       {"keys", report.keys}};
  if (report.switched)
    entry["lastSwitch"] = utc_text(std::chrono::floor<std::chrono::seconds>(*report.switched));
  return {{"apiVersion", kEdgeGatewayApiVersion},
          {"kind", kEdgeGatewayKind},
          {"metadata", {{"name", report.pool}}},
          {"status", {{"accessPoints", nlohmann::json::array({entry})}}}};
}

PoolStatusWriter::PoolStatusWriter(EventLoop& loop, kube::ClusterLink& link, Logger& log,
                                   std::string access_point)
    : link_(link),
      log_(log),
      access_point_(std::move(access_point)),
      events_(loop, link.client(), "egw-access", access_point_, link.seed() + 100) {}

void PoolStatusWriter::write(const PoolReport& report) {
  Entry& entry = entries_[report.pool];
  if (!report.message.empty() && report.message != entry.latest.message) {
    events_.record({.api_version = std::string(kEdgeGatewayApiVersion),
                    .kind = std::string(kEdgeGatewayKind),
                    .name = report.pool,
                    .warning = true,
                    .reason = report.reason,
                    .message = "access point " + access_point_ + ": " + report.message});
  }
  entry.latest = report;
  entry.waits = true;
  if (!entry.call) begin(report.pool);
}

void PoolStatusWriter::begin(const std::string& pool) {
  Entry& entry = entries_[pool];
  entry.waits = false;
  entry.call = link_.client().apply(
      edge_gateways(), status_of(entry.latest, access_point_),
      [this, pool](const Result<nlohmann::json>& done) {
        Entry& ended = entries_[pool];
        const kube::ObjectClient::CallPtr call = std::exchange(ended.call, nullptr);
        if (!done) log_.warning("status is not written", {{"pool", pool}, {"error", done.error().message}});
        if (ended.waits) begin(pool);
      },
      {.deadline = std::chrono::milliseconds(0)}, "status");  // until the server is back
}

}  // namespace holdfast::gateway
