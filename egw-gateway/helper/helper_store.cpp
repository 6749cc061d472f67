#include "egw-gateway/helper/helper_store.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/state_file.h"
#include "common/base/text.h"
#include "egw-gateway/model/routed_ranges.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr StateKind kKind{"egw-helper", 1};
constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kMostRangeBytes = std::size_t{1} << 20;

struct Content {
  StateOwner owner;
  HelperState state;
};

Result<Content> decode(std::string_view text) {
  HOLDFAST_TRY(const json document, parse_json(text, {.max_bytes = kMaxStateBytes}));
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
  HOLDFAST_TRY(const std::vector<JsonField> networks, object["networks"].array_or_empty());
  for (const JsonField& network : networks) {
    HOLDFAST_TRY(const Cidr range, network.cidr());
    out.state.networks.push_back(range);
  }
  return out;
}

bool is_for(const StateOwner& stored, const StateOwner& looking) {
  return (looking.pool.empty() || looking.pool == stored.pool) &&
         (looking.node.empty() || looking.node == stored.node) && looking.machine_id == stored.machine_id;
}

/// As all nodes have them; the networks of this node's links are known when they are there.
std::vector<Cidr> ranges_of(const HelperState& state) {
  std::vector<Exemption> exempt = exemptions(state.gateway);
  for (const IpAddress& server : state.servers)
    exempt.push_back({Cidr::make(server, server.bits()).value_or(Cidr{}), "the API server"});
  return routed_ranges(state.gateway, exempt).ranges;
}

/// What is no CIDR is passed over: the others are to be closed all the same.
std::vector<Cidr> parse_ranges(std::string_view text) {
  std::vector<Cidr> out;
  while (!text.empty()) {
    const Result<Cidr> range = Cidr::parse(trim(take_until(text, '\n')));
    if (range && range->prefix() != 0) out.push_back(range->network());
  }
  return out;
}

std::string text_of(const std::vector<Cidr>& ranges) {
  std::string out;
  for (const Cidr& range : ranges) out += range.to_string() + "\n";
  return out;
}

std::string text_of(const StateOwner& owner) {
  return "pool '" + owner.pool + "', node '" + owner.node + "', machine " + owner.machine_id;
}

}  // namespace

HelperStore::HelperStore(Files& files, const std::filesystem::path& state_dir, StateOwner owner)
    : files_(files),
      path_(state_dir / "helper.json"),
      ranges_path_(state_dir / "closed-ranges"),
      owner_(std::move(owner)) {}

Result<HelperStore::Loaded> HelperStore::load() {
  Result<Loaded> out = load_state();
  if (out && (out->state || out->foreign)) return out;
  const auto text = files_.read(ranges_path_, kMostRangeBytes);
  std::vector<Cidr> ranges = text && *text ? parse_ranges(**text) : std::vector<Cidr>{};
  if (ranges.empty()) return out;
  if (!out) out = Loaded{.notes = {out.error().message}};
  out->ranges = std::move(ranges);
  return out;
}

Result<HelperStore::Loaded> HelperStore::load_state() {
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
  json networks = json::array();
  for (const Cidr& network : state.networks) networks.push_back(network.to_string());
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), kFolderMode));
  HOLDFAST_CHECK(replace_file(files_, ranges_path_, text_of(ranges_of(state))));
  return write_state(files_, path_, kKind,
                     dump_json({{"pool", owner_.pool},
                                {"node", owner_.node},
                                {"machineID", owner_.machine_id},
                                {"gateway", encode_edge_gateway(state.gateway)},
                                {"servers", std::move(servers)},
                                {"networks", std::move(networks)}}));
}

Status HelperStore::forget() {
  HOLDFAST_CHECK(files_.remove(path_));
  HOLDFAST_CHECK(files_.remove(ranges_path_));
  return files_.sync_folder(path_.parent_path());
}

}  // namespace holdfast::gateway
