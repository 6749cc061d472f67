#include "cni-flannel/daemon/overlay_store.h"

#include <sys/types.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "common/base/json.h"
#include "common/base/read_only_files.h"
#include "common/base/sha.h"
#include "common/base/state_file.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

constexpr StateKind kKind{"overlay", 1};
constexpr mode_t kFolderMode = 0700;
constexpr std::int64_t kMaxMtu = 65535;
// 5,000 dual-stack peers are 3 MB
constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

/// The next line without its end, which is taken off `rest` with it.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return line;
}

struct Header {
  StoreOwner owner;
  std::string resource_version;
  bool crd_seen = false;
  bool has_own = false;
  std::uint32_t mtu = 0;
  std::string checksum_broken_with;
  FormerUnderlay former_underlay;
  GoneFor gone;
};

Result<GoneFor> decode_gone(const JsonField& field) {
  constexpr std::int64_t kLongest = std::int64_t{100} * 365 * 86400;
  HOLDFAST_TRY(const JsonObject object, field.object_or_empty());
  GoneFor out;
  for (const std::string& name : object.keys()) {
    HOLDFAST_TRY(const std::int64_t seconds, object[name].integer_or(0, 0, kLongest));
    out[name] = std::chrono::seconds(seconds);
  }
  return out;
}

Result<std::optional<IpAddress>> decode_address(const JsonField& field) {
  if (!field.present()) return std::nullopt;
  HOLDFAST_TRY(const IpAddress address, field.address());
  return address;
}

Result<FormerUnderlay> decode_former(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object_or_empty());
  FormerUnderlay out;
  HOLDFAST_TRY(out.interface, object["interface"].string_or(""));
  HOLDFAST_TRY(const std::vector<JsonField> addresses, object["addresses"].array_or_empty());
  for (const JsonField& each : addresses) {
    HOLDFAST_TRY(const IpAddress address, each.address());
    out.addresses.push_back(address);
  }
  HOLDFAST_TRY(out.public_ip, decode_address(object["publicIP"]));
  HOLDFAST_TRY(out.public_ipv6, decode_address(object["publicIPv6"]));
  return out;
}

Result<Header> decode_header(std::string_view line) {
  HOLDFAST_TRY(const json document, parse_json(line));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  Header out;
  HOLDFAST_TRY(out.owner.cluster_id, object["clusterID"].string());
  HOLDFAST_TRY(out.owner.node_name, object["nodeName"].string());
  HOLDFAST_TRY(out.owner.machine_id, object["machineID"].string());
  HOLDFAST_TRY(out.resource_version, object["resourceVersion"].string());
  HOLDFAST_TRY(out.crd_seen, object["crdSeen"].boolean());
  HOLDFAST_TRY(out.has_own, object["ownLease"].boolean());
  HOLDFAST_TRY(const std::int64_t mtu, object["mtu"].integer_or(0, 0, kMaxMtu));
  out.mtu = static_cast<std::uint32_t>(mtu);
  HOLDFAST_TRY(out.checksum_broken_with, object["checksumBrokenWith"].string_or(""));
  HOLDFAST_TRY(out.gone, decode_gone(object["gone"]));
  HOLDFAST_TRY(out.former_underlay, decode_former(object["formerUnderlay"]));
  return out;
}

json encode_former(const FormerUnderlay& former) {
  json out{{"interface", former.interface}};
  for (const IpAddress& address : former.addresses) out["addresses"].push_back(address.to_string());
  if (former.public_ip) out["publicIP"] = former.public_ip->to_string();
  if (former.public_ipv6) out["publicIPv6"] = former.public_ipv6->to_string();
  return out;
}

std::string encode_header(const StoreOwner& owner, const OverlayState& state) {
  json gone = json::object();
  for (const auto& [name, time] : state.gone) gone[name] = time.count();
  json out{{"clusterID", state.cluster_id},
           {"nodeName", owner.node_name},
           {"machineID", owner.machine_id},
           {"resourceVersion", state.resource_version},
           {"crdSeen", state.crd_seen},
           {"ownLease", state.own.has_value()},
           {"mtu", state.mtu},
           {"checksumBrokenWith", state.checksum_broken_with},
           {"gone", std::move(gone)}};
  if (!state.former_underlay.interface.empty()) {
    out["formerUnderlay"] = encode_former(state.former_underlay);
  }
  return dump_json(out);
}

Result<NodeNetworkObject> decode_line(std::string_view line) {
  HOLDFAST_TRY(const json document, parse_json(line));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  return decode_node_network(object);
}

NodeNetworkObject as_object(const NodeNetwork& network) {
  NodeNetworkObject out;
  out.identity.name = network.node;
  out.network = network;
  return out;
}

std::string encode(const StoreOwner& owner, const OverlayState& state) {
  std::string out = encode_header(owner, state) + "\n";
  if (state.own) out += dump_json(encode_node_network(as_object(*state.own))) + "\n";
  for (const NodeNetworkObject& peer : state.peers) out += dump_json(encode_node_network(peer)) + "\n";
  return out;
}

/// Own lease and peers; lines that cannot be read are told and left out.
void decode_objects(std::string_view lines, bool has_own, OverlayStore::Loaded& out) {
  for (bool own = has_own; !lines.empty(); own = false) {
    Result<NodeNetworkObject> object = decode_line(take_line(lines));
    if (!object) {
      out.notes.push_back(std::string(own ? "own lease" : "a peer") +
                          " in the store cannot be read: " + object.error().message);
    } else if (own) {
      out.state.own = std::move(object->network);
    } else {
      out.state.peers.push_back(*std::move(object));
    }
  }
}

std::filesystem::path path_in(const std::filesystem::path& state_dir) { return state_dir / "overlay.json"; }

}  // namespace

Result<std::optional<StoreOwner>> stored_owner(Files& files, const std::filesystem::path& state_dir) {
  ReadOnlyFiles looked_at(files);
  HOLDFAST_TRY(const StateFile file, read_state(looked_at, path_in(state_dir), kKind, kMaxBytes));
  if (!file.content) return std::nullopt;
  std::string_view rest = *file.content;
  Result<Header> header = decode_header(take_line(rest));
  return header ? std::optional(std::move(header->owner)) : std::nullopt;
}

OverlayStore::OverlayStore(Files& files, const std::filesystem::path& state_dir, StoreOwner owner)
    : files_(files), path_(path_in(state_dir)), owner_(std::move(owner)) {}

Result<OverlayStore::Loaded> OverlayStore::load() {
  HOLDFAST_TRY(StateFile file, read_state(files_, path_, kKind, kMaxBytes));
  Loaded out;
  if (!file.note.empty()) out.notes.push_back(std::move(file.note));
  if (!file.content) return out;

  std::string_view rest = *file.content;
  const Result<Header> header = decode_header(take_line(rest));
  if (!header) {
    out.notes.push_back(path_.native() + " is not used: " + header.error().message);
    return out;
  }
  if (header->owner.node_name != owner_.node_name || header->owner.machine_id != owner_.machine_id) {
    out.notes.push_back(path_.native() + " is not used: it is of node '" + header->owner.node_name +
                        "' on machine " + header->owner.machine_id + ", this is '" + owner_.node_name +
                        "' on " + owner_.machine_id);
    return out;
  }
  out.state.cluster_id = header->owner.cluster_id;
  out.state.resource_version = header->resource_version;
  out.state.crd_seen = header->crd_seen;
  out.state.mtu = header->mtu;
  out.state.checksum_broken_with = header->checksum_broken_with;
  out.state.gone = header->gone;
  out.state.former_underlay = header->former_underlay;
  decode_objects(rest, header->has_own, out);
  if (out.notes.empty()) saved_digest_ = sha512_hex(*file.content);
  return out;
}

Status OverlayStore::save(const OverlayState& state) {
  const std::string content = encode(owner_, state);
  std::string digest = sha512_hex(content);
  if (digest == saved_digest_) return {};
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), kFolderMode));
  saved_digest_.clear();
  HOLDFAST_CHECK(write_state(files_, path_, kKind, content));
  saved_digest_ = std::move(digest);
  return {};
}

}  // namespace holdfast::flannel
