#include "common/kube/node_pools.h"

#include <algorithm>
#include <charconv>

#include "common/base/text.h"

namespace holdfast::kube {

KeptFields node_pool_fields() { return {"apiVersion", "spec.type", "spec.taints", "metadata.annotations"}; }

Result<NodePool> decode_node_pool(const JsonObject& object) {
  NodePool out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(out.api_version, object["apiVersion"].string_or(""));
  HOLDFAST_TRY(const JsonObject annotations, metadata["annotations"].object_or_empty());
  for (const std::string& key : annotations.keys()) {
    HOLDFAST_TRY(out.annotations[key], annotations[key].string_or(""));
  }
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object_or_empty());
  HOLDFAST_TRY(out.type, spec["type"].string_or(""));
  HOLDFAST_TRY(const std::vector<JsonField> taints, spec["taints"].array_or_empty());
  for (const JsonField& field : taints) {
    HOLDFAST_TRY(const JsonObject taint, field.object());
    HOLDFAST_TRY(std::string key, taint["key"].string_or(""));
    if (!key.empty()) out.taints.insert(std::move(key));
  }
  return out;
}

Result<std::vector<Cidr>> parse_pod_cidrs(std::string_view text) {
  std::vector<Cidr> out;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    HOLDFAST_TRY(const Cidr range, Cidr::parse(trim(text.substr(0, comma))));
    if (range.prefix() == 0)
      return fail(Code::kInvalidArgument, "'" + range.to_string() + "' holds everything");
    out.push_back(range.network());
    if (out.size() > kMostPodCidrs) return fail(Code::kInvalidArgument, "these are too many ranges");
    if (comma == text.size()) break;
    text.remove_prefix(comma + 1);
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<std::uint32_t> parse_max_nodes(std::string_view text) {
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count == 0 || count > kMostPoolNodes) {
    return fail(Code::kInvalidArgument, "'" + std::string(text) + "' is no number of nodes");
  }
  return count;
}

}  // namespace holdfast::kube
