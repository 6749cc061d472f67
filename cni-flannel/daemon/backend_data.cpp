#include "cni-flannel/daemon/backend_data.h"

#include <nlohmann/json.hpp>

namespace holdfast::flannel {
namespace {

constexpr std::int64_t kMaxVni = 0xffffff;

}  // namespace

std::string encode_backend_data(const BackendData& data) {
  std::string out = "{";
  if (data.vni) out += "\"VNI\":" + std::to_string(*data.vni) + ",";
  return out + "\"VtepMAC\":\"" + data.vtep_mac.to_string() + "\"}";
}

Result<std::optional<BackendData>> decode_backend_data(const JsonField& field) {
  if (!field.present()) return std::nullopt;
  HOLDFAST_TRY(const JsonObject object, field.object());
  BackendData data;
  if (const JsonField vni = object["VNI"]; vni.present()) {
    HOLDFAST_TRY(const std::int64_t number, vni.integer(0, kMaxVni));
    data.vni = static_cast<std::uint32_t>(number);
  }
  const JsonField mac = object["VtepMAC"];
  HOLDFAST_TRY(const std::string text, mac.string());
  const Result<MacAddress> parsed = MacAddress::parse(text);
  if (!parsed) return mac.refuse("is not a MAC address");
  data.vtep_mac = *parsed;
  return data;
}

Result<std::optional<BackendData>> decode_backend_data(std::string_view text) {
  if (text.empty()) return std::nullopt;
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
  return decode_backend_data(JsonField(document.is_null() ? nullptr : &document, ""));
}

}  // namespace holdfast::flannel
