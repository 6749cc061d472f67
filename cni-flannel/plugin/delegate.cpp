#include "cni-flannel/plugin/delegate.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/plugin/cni_result.h"
#include "common/base/json.h"

namespace holdfast::flannel {
namespace {

using cni::CniCode;
using cni::CniResult;
using cni::JsonPart;
using nlohmann::json;

/// Sets a member that the object has in no spelling.
template <class T>
void put_if_absent(json& object, const char* name, T value) {
  if (!JsonObject(&object, "")[name].present()) object[name] = std::move(value);
}

json copy_of(const JsonPart& object) { return object == nullptr ? json::object() : *object; }

/// Takes away a member in whatever spelling, so that it can be set in ours.
json without(const json& object, std::string_view name) {
  return *cni::with_member(std::make_shared<const json>(object), name, nullptr);
}

CniResult<json> render_ipam(const FlannelConf& flannel, const SubnetEnv& lease) {
  const JsonPart given = cni::member(flannel.ipam, "routes");
  HOLDFAST_CHECK(cni::parse_routes(given, "ipam.routes"));
  json routes = given == nullptr ? json::array() : *given;
  for (const Cidr& network : lease.networks) routes.push_back({{"dst", network.to_string()}});
  json ranges = json::array();
  for (const auto& subnet : {lease.subnet, lease.subnet6}) {
    if (subnet) ranges.push_back(json::array({{{"subnet", subnet->network().to_string()}}}));
  }
  json ipam = without(without(copy_of(flannel.ipam), "routes"), "ranges");
  put_if_absent(ipam, "type", "host-local");
  ipam["ranges"] = std::move(ranges);
  ipam["routes"] = std::move(routes);
  return ipam;
}

}  // namespace

CniResult<JsonPart> render_delegate(const cni::NetConf& conf, const FlannelConf& flannel,
                                    const SubnetEnv& lease) {
  json delegate = without(copy_of(flannel.delegate), "cniVersion");
  if (conf.version_given) {
    delegate["cniVersion"] = cni::to_string(conf.version);
  } else if (const JsonPart given = cni::member(flannel.delegate, "cniVersion")) {
    delegate["cniVersion"] = *given;
  }
  if (conf.runtime_config != nullptr) {
    delegate = without(delegate, "runtimeConfig");
    delegate["runtimeConfig"] = *conf.runtime_config;
  }
  if (conf.args != nullptr) put_if_absent(delegate, "args", *conf.args);
  delegate["name"] = conf.name;
  put_if_absent(delegate, "type", "bridge");
  put_if_absent(delegate, "ipMasq", !lease.masquerade);
  put_if_absent(delegate, "mtu", lease.mtu);
  const Result<std::string> type = JsonObject(&delegate, "")["type"].string_or("");
  if (type && *type == "bridge") put_if_absent(delegate, "isGateway", true);
  HOLDFAST_TRY(delegate["ipam"], render_ipam(flannel, lease));
  return std::make_shared<const json>(std::move(delegate));
}

CniResult<DelegateKind> kind_of(const JsonPart& delegate) {
  const auto read = [&]() -> Result<DelegateKind> {
    const JsonObject top(delegate.get(), "");
    DelegateKind kind;
    const JsonField type = JsonObject(delegate.get(), "delegate")["type"];
    HOLDFAST_TRY(kind.type, type.string());
    if (kind.type.empty()) return type.refuse("is empty");
    HOLDFAST_TRY(const JsonObject ipam, top["ipam"].object_or_empty());
    HOLDFAST_TRY(kind.ipam_type, ipam["type"].string_or(""));
    if (kind.ipam_type.empty() && !ipam.keys().empty()) {
      return fail(Code::kInvalidArgument, "ipam.type: is missing");
    }
    return kind;
  };
  return cni::to_cni(read(), CniCode::kInvalidConfig);
}

}  // namespace holdfast::flannel
