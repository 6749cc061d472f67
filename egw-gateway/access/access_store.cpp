#include "egw-gateway/access/access_store.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/state_file.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr StateKind kKind{"egw-access", 1};
constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;  // hundreds of pools, each with its nodes
constexpr std::size_t kEnvelopeBytes = 256;                // more than the line before the content has

Status decode(const std::string& text, const std::string& access_point, AccessStore::Loaded& out) {
  HOLDFAST_TRY(const json document, parse_json(text, {.max_bytes = kMostBytes}));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  HOLDFAST_TRY(const std::string stored_for, object["accessPoint"].string());
  if (stored_for != access_point) {
    return fail(Code::kFailedPrecondition, "it is of access point '" + stored_for + "'");
  }
  HOLDFAST_TRY(const std::vector<std::string> served, object["served"].strings_or_empty());
  out.served.insert(served.begin(), served.end());
  const auto pools = document.find("pools");
  if (pools == document.end() || !pools->is_array()) return fail(Code::kInvalidArgument, "pools is no list");
  for (const json& each : *pools) {
    const Result<JsonObject> entry = JsonObject::of(each);
    Result<EdgeGateway> gateway =
        entry ? decode_edge_gateway(*entry) : Result<EdgeGateway>(tl::unexpected(entry.error()));
    if (gateway) {
      const std::string pool = gateway->pool;
      out.pools[pool] = *std::move(gateway);
    } else {
      out.notes.push_back("a stored pool is not used: " + gateway.error().message);
    }
  }
  return {};
}

}  // namespace

Result<AccessStore::Loaded> AccessStore::load() {
  HOLDFAST_TRY(StateFile file, read_state(files_, path_, kKind, kMostBytes));
  Loaded out;
  if (!file.note.empty()) out.notes.push_back(std::move(file.note));
  if (!file.content) return out;
  const Status done = decode(*file.content, access_point_, out);
  if (!done) out.notes.push_back(path_.native() + " is not used: " + done.error().message);
  out.whole = out.notes.empty();
  return out;
}

Status AccessStore::save(const Pools& pools, const std::set<std::string>& served) {
  json list = json::array();
  for (const auto& [name, pool] : pools) list.push_back(encode_edge_gateway(pool));
  const std::string text =
      dump_json({{"accessPoint", access_point_}, {"pools", std::move(list)}, {"served", served}});
  if (text.size() > kMostBytes - kEnvelopeBytes) {
    return fail(Code::kResourceExhausted, path_.native() + " would have " + std::to_string(text.size()) +
                                              " bytes, and could not be read again");
  }
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), kFolderMode));
  return write_state(files_, path_, kKind, text);
}

}  // namespace holdfast::gateway
