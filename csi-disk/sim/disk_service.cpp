#include "csi-disk/sim/disk_service.h"

#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "csi-disk/sim/alibaba_wire.h"
#include "csi-disk/sim/tencent_wire.h"

namespace holdfast::disk {
namespace {

using cloud::sim::Failure;
using cloud::sim::SimAnswer;
using nlohmann::json;

constexpr int kBadRequest = 400;
constexpr std::int64_t kMostDisks = 1'000'000;

// Null: as a node's, when nothing is said of it.
Status set_node(const std::string& id, const JsonField& field, const DiskShop& shop, json& state) {
  HOLDFAST_TRY(const JsonObject object, field.object_or_empty());
  json node = json::object();
  HOLDFAST_TRY(node["zone"], object["zone"].string_or(shop.zones.front()));
  HOLDFAST_TRY(node["most"], object["most"].integer_or(kUsualMostDisks, 0, kMostDisks));
  state["nodes"][id] = std::move(node);
  return {};
}

Status set_nodes(const json& body, const DiskShop& shop, json& state) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(body));
  for (const std::string& id : object.keys()) {
    if (object[id].present()) {
      HOLDFAST_CHECK(set_node(id, object[id], shop, state));
      continue;
    }
    state["nodes"].erase(id);
    for (json& disk : state["disks"]) disk["nodes"].erase(id);
  }
  return {};
}

Status set_stock(const json& body, json& state) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(body));
  HOLDFAST_TRY(const std::string zone, object["zone"].string());
  HOLDFAST_TRY(const std::string type, object["type"].string());
  HOLDFAST_TRY(const bool sold_out, object["sold_out"].boolean());
  const json key = zone + " " + type;
  json rest = json::array();
  for (const json& each : state.value("soldOut", json::array())) {
    if (each != key) rest.push_back(each);
  }
  if (sold_out) rest.push_back(key);
  state["soldOut"] = std::move(rest);
  return {};
}

Status told(std::string_view what, const json& body, const DiskShop& shop, json& state) {
  if (what == "nodes") return set_nodes(body, shop, state);
  if (what == "stock") return set_stock(body, state);
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(body));
  if (what == "quota") {
    HOLDFAST_TRY(state["quota"], object["disks"].integer(0, kMostDisks));
    return {};
  }
  if (what == "arrears") {
    HOLDFAST_TRY(state["arrears"], object["on"].boolean());
    return {};
  }
  return fail(Code::kInvalidArgument, "nothing is called " + std::string(what));
}

}  // namespace

DiskCatalogue DiskService::catalogue(json& state) const {
  return {shop_, state, std::chrono::floor<std::chrono::milliseconds>(clock_.since_boot()),
          clock_.now().time_since_epoch()};
}

Status DiskService::begin(json& state) {
  static_cast<void>(catalogue(state));
  for (const auto& [id, zone] : shop_.nodes) {
    if (!state["nodes"].contains(id)) state["nodes"][id] = {{"zone", zone}, {"most", kUsualMostDisks}};
  }
  return {};
}

SimAnswer DiskService::serve(const cloud::sim::SimCall& call, json& state) {
  DiskCatalogue all = catalogue(state);
  if (call.vendor == cloud::Vendor::kAlibaba) return serve_alibaba(call, all, shop_);
  return serve_tencent(call, all, shop_);
}

SimAnswer DiskService::tell(std::string_view what, const json& body, json& state) {
  static_cast<void>(catalogue(state));
  json after = state;
  if (const Status done = told(what, body, shop_, after); !done) {
    return tl::unexpected(Failure{kBadRequest, "InvalidParameter", done.error().message});
  }
  state = std::move(after);
  return json::object();
}

}  // namespace holdfast::disk
