#include "egw-gateway/helper/helper_store.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/state_file.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr StateKind kKind{"egw-helper", 1};
constexpr mode_t kFolderMode = 0700;

struct Content {
  StateOwner owner;
  HelperState state;
};

Result<Content> decode(std::string_view text) {
  HOLDFAST_TRY(const json document, parse_json(text));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  Content out;
  HOLDFAST_TRY(out.owner.pool, object["pool"].string());
  HOLDFAST_TRY(out.owner.node, object["node"].string());
  HOLDFAST_TRY(out.owner.machine_id, object["machineID"].string());
  HOLDFAST_TRY(const JsonObject gateway, object["gateway"].object());
  HOLDFAST_TRY(out.state.gateway, decode_edge_gateway(gateway));
  HOLDFAST_TRY(const std::vector<JsonField> servers, object["servers"].array_or_empty());
  for (const JsonField& server : servers) {
    HOLDFAST_TRY(const IpAddress address, server.address());
    out.state.servers.push_back(address);
  }
  return out;
}

bool is_for(const StateOwner& stored, const StateOwner& looking) {
  return (looking.pool.empty() || looking.pool == stored.pool) &&
         (looking.node.empty() || looking.node == stored.node) && looking.machine_id == stored.machine_id;
}

std::string text_of(const StateOwner& owner) {
  return "pool '" + owner.pool + "', node '" + owner.node + "', machine " + owner.machine_id;
}

}  // namespace

HelperStore::HelperStore(Files& files, const std::filesystem::path& state_dir, StateOwner owner)
    : files_(files), path_(state_dir / "helper.json"), owner_(std::move(owner)) {}

Result<HelperStore::Loaded> HelperStore::load() {
  HOLDFAST_TRY(StateFile file, read_state(files_, path_, kKind));
  Loaded out;
  if (!file.note.empty()) out.notes.push_back(std::move(file.note));
  if (!file.content) return out;
  Result<Content> content = decode(*file.content);
  if (!content) {
    out.notes.push_back(path_.native() + " is not used: " + content.error().message);
  } else if (!is_for(content->owner, owner_)) {
    out.notes.push_back(path_.native() + " is not used: it is of " + text_of(content->owner) + ", this is " +
                        text_of(owner_));
    out.foreign = std::move(content->state);
  } else {
    out.state = std::move(content->state);
  }
  return out;
}

Status HelperStore::save(const HelperState& state) {
  json servers = json::array();
  for (const IpAddress& server : state.servers) servers.push_back(server.to_string());
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), kFolderMode));
  return write_state(files_, path_, kKind,
                     dump_json({{"pool", owner_.pool},
                                {"node", owner_.node},
                                {"machineID", owner_.machine_id},
                                {"gateway", encode_edge_gateway(state.gateway)},
                                {"servers", std::move(servers)}}));
}

Status HelperStore::forget() {
  HOLDFAST_CHECK(files_.remove(path_));
  return files_.sync_folder(path_.parent_path());
}

}  // namespace holdfast::gateway
