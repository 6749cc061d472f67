#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "egw-gateway/access/routes/alibaba_table.h"

namespace holdfast::gateway {
namespace {

using cloud::CallEnd;
using nlohmann::json;

constexpr std::int64_t kMostEntries = 1'000'000;

/// Codes of a table, or of a CEN, that is at something else. Source: the API's lists of error codes.
constexpr std::array<std::string_view, 12> kBusyCodes{"TaskConflict",
                                                      "OperationConflict",
                                                      "Operation.Blocking",
                                                      "IncorrectRouteEntryStatus",
                                                      "IncorrectVpcStatus",
                                                      "IncorrectStatus",
                                                      "InvalidStatus.RouteEntry",
                                                      "InvalidOperation.CenInstanceStatus",
                                                      "LastTokenProcessing",
                                                      "IdempotentTokenProcessing",
                                                      "SystemBusy",
                                                      "OperationFailed.DistibuteLock"};

bool is_busy(const std::string& code) {
  return std::ranges::any_of(kBusyCodes,
                             [&](std::string_view part) { return code.find(part) != std::string::npos; });
}

RouteTrouble refusal(const std::string& code) {
  if (is_busy(code)) return RouteTrouble::kBusy;
  switch (cloud::refusal_of(code)) {
    case cloud::Refusal::kQuota:
      return RouteTrouble::kQuota;
    case cloud::Refusal::kExists:  // somebody was faster: the next look tells who
    case cloud::Refusal::kInUse:
      return RouteTrouble::kBusy;
    default:
      return RouteTrouble::kRefused;
  }
}

RouteTrouble trouble_of(const cloud::CallError& error) {
  switch (error.end) {
    case CallEnd::kThrottled:
    case CallEnd::kNotSent:
      return RouteTrouble::kBusy;
    case CallEnd::kUnknownOutcome:
      return RouteTrouble::kUnknown;
    case CallEnd::kNoSuchThing:
      return RouteTrouble::kRefused;
    case CallEnd::kRefused:
      break;
  }
  return refusal(error.code);
}

Result<std::vector<std::string>> next_hops_of(const JsonObject& entry) {
  std::vector<std::string> out;
  HOLDFAST_TRY(const std::string one, entry["InstanceId"].string_or(""));
  if (!one.empty()) out.push_back(one);
  HOLDFAST_TRY(const JsonObject hops, entry["NextHops"].object_or_empty());
  HOLDFAST_TRY(const std::vector<JsonField> fields, hops["NextHop"].array_or_empty());
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject hop, field.object());
    HOLDFAST_TRY(std::string id, hop["NextHopId"].string_or(""));
    if (!id.empty() && std::ranges::find(out, id) == out.end()) out.push_back(std::move(id));
  }
  return out;
}

}  // namespace

RouteError to_route_error(cloud::CallError error) {
  RouteError out{trouble_of(error), {}, error.retry_after};
  out.message = cloud::to_error(std::move(error)).message;
  if (out.trouble == RouteTrouble::kQuota) {
    out.message +=
        "; ask the cloud for a higher quota vpc_quota_route_entrys_num, or give pools ranges that make "
        "bigger "
        "blocks";
  }
  return out;
}

Result<VpcRoutePage> read_route_entries(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const JsonObject list, object["RouteEntrys"].object());
  HOLDFAST_TRY(const std::vector<JsonField> fields, list["RouteEntry"].array());
  VpcRoutePage out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject entry, field.object());
    VpcRouteEntry one;
    HOLDFAST_TRY(one.name, entry["RouteEntryName"].string_or(""));
    HOLDFAST_TRY(one.type, entry["Type"].string());
    HOLDFAST_TRY(one.status, entry["Status"].string());
    HOLDFAST_TRY(one.destination, entry["DestinationCidrBlock"].string());
    HOLDFAST_TRY(one.next_hops, next_hops_of(entry));
    out.entries.push_back(std::move(one));
  }
  HOLDFAST_TRY(out.next, object["NextToken"].string_or(""));
  return out;
}

Result<CenPage> read_published_entries(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const JsonObject list, object["PublishedRouteEntries"].object());
  HOLDFAST_TRY(const std::vector<JsonField> fields, list["PublishedRouteEntry"].array());
  CenPage out;
  out.seen = fields.size();
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject entry, field.object());
    HOLDFAST_TRY(const std::string destination, entry["DestinationCidrBlock"].string());
    HOLDFAST_TRY(const std::string status, entry["PublishStatus"].string());
    const Result<Cidr> range = Cidr::parse(destination);
    if (range && status == "Published") out.published.insert(range->network());
  }
  HOLDFAST_TRY(const std::int64_t total, object["TotalCount"].integer_or(0, 0, kMostEntries));
  out.total = static_cast<std::size_t>(total);
  return out;
}

}  // namespace holdfast::gateway
