#include "cni-flannel/plugin/net_conf.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/plugin/environment.h"
#include "common/base/json.h"

namespace holdfast::cni {
namespace {

constexpr std::array<const char*, 2> kAttachmentLists = {"cni.dev/valid-attachments", "cni.dev/attachments"};

CniStatus read_version(const JsonObject& top, NetConf& conf) {
  HOLDFAST_TRY(const std::string text, to_cni(top["cniVersion"].string_or(""), CniCode::kDecode));
  if (text.empty()) return {};
  const std::optional<SpecVersion> version = parse_version(text);
  if (!version) {
    return cni_fail(CniCode::kIncompatibleVersion, "incompatible CNI versions: cniVersion is '" + text + "'",
                    "config is " + text + ", plugin supports " + list_versions());
  }
  conf.version = *version;
  conf.version_given = true;
  return {};
}

/// Any doubt is an error: an entry read wrongly costs a running pod its network.
Result<ValidAttachment> read_attachment(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject entry, field.object());
  ValidAttachment attachment;
  for (const auto& [name, out] :
       {std::pair("containerID", &attachment.container_id), std::pair("ifname", &attachment.ifname)}) {
    HOLDFAST_TRY(*out, entry[name].string());
    if (out->empty()) return entry[name].refuse("is empty");
  }
  if (!validate_container_id(attachment.container_id))
    return entry["containerID"].refuse("is no container id");
  if (!validate_ifname(attachment.ifname)) return entry["ifname"].refuse("is no interface name");
  return attachment;
}

Status read_attachments(const JsonObject& top, NetConf& conf) {
  for (const char* name : kAttachmentLists) {
    const JsonField list = top[name];
    if (!list.present()) continue;
    HOLDFAST_TRY(const std::vector<JsonField> entries, list.array());
    if (!conf.valid_attachments) conf.valid_attachments.emplace();
    for (const JsonField& entry : entries) {
      HOLDFAST_TRY(ValidAttachment attachment, read_attachment(entry));
      conf.valid_attachments->push_back(std::move(attachment));
    }
  }
  if (conf.valid_attachments) {
    auto& all = *conf.valid_attachments;
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  return {};
}

/// What the runtime and CNI put in; conf.document is there.
Status read_members(const JsonObject& top, NetConf& conf) {
  HOLDFAST_TRY(conf.name, top["name"].string_or(""));
  HOLDFAST_TRY(conf.type, top["type"].string_or(""));
  for (const auto& [name, out] :
       {std::pair("runtimeConfig", &conf.runtime_config), std::pair("args", &conf.args),
        std::pair("prevResult", &conf.prev_result)}) {
    HOLDFAST_CHECK(top[name].object_or_empty());
    *out = member(conf.document, name);
  }
  return {};
}

}  // namespace

CniResult<NetConf> parse_net_conf(std::string_view text) {
  NetConf conf;
  HOLDFAST_TRY(conf.document, to_cni(parse_document(text, "network configuration"), CniCode::kDecode));
  if (!conf.document->is_object()) {
    return cni_fail(CniCode::kDecode, "network configuration: it must be a JSON object");
  }
  const JsonObject top(conf.document.get(), "");
  HOLDFAST_CHECK(read_version(top, conf));
  HOLDFAST_CHECK(to_cni(read_members(top, conf), CniCode::kDecode));
  HOLDFAST_CHECK(validate_network_name(conf.name));
  HOLDFAST_CHECK(to_cni(read_attachments(top, conf), CniCode::kInvalidConfig));
  return conf;
}

CniResult<std::optional<AddResult>> decode_prev_result(const NetConf& conf) {
  if (conf.prev_result == nullptr) return std::nullopt;
  HOLDFAST_TRY(AddResult result, parse_result(conf.prev_result, "prevResult"));
  return result;
}

}  // namespace holdfast::cni
