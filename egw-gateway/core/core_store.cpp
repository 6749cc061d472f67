#include "egw-gateway/core/core_store.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/state_file.h"

namespace holdfast::gateway {
namespace {

constexpr StateKind kKind{"egw-core", 1};
constexpr mode_t kFolderMode = 0700;

struct Content {
  std::string pool;
  std::string gateway;
  EdgeGateway object;
};

Result<Content> decode(std::string_view text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text, {.max_bytes = kMaxStateBytes}));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  Content out;
  HOLDFAST_TRY(out.pool, object["pool"].string());
  HOLDFAST_TRY(out.gateway, object["gateway"].string());
  HOLDFAST_TRY(const JsonObject inner, object["object"].object());
  HOLDFAST_TRY(out.object, decode_edge_gateway(inner));
  return out;
}

}  // namespace

Result<CoreStore::Loaded> CoreStore::load() {
  HOLDFAST_TRY(StateFile file, read_state(files_, path_, kKind));
  Loaded out;
  if (!file.note.empty()) out.notes.push_back(std::move(file.note));
  if (!file.content) return out;
  Result<Content> content = decode(*file.content);
  if (!content) {
    out.notes.push_back(path_.native() + " is not used: " + content.error().message);
  } else if (content->pool != pool_ || content->gateway != gateway_) {
    out.notes.push_back(path_.native() + " is not used: it is of gateway " + content->gateway + " of pool " +
                        content->pool);
  } else {
    out.object = std::move(content->object);
  }
  return out;
}

Status CoreStore::save(const EdgeGateway& object) {
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), kFolderMode));
  return write_state(
      files_, path_, kKind,
      dump_json({{"pool", pool_}, {"gateway", gateway_}, {"object", encode_edge_gateway(object)}}));
}

}  // namespace holdfast::gateway
