#include "cni-flannel/daemon/overlay_store.h"

#include <sys/types.h>

#include <algorithm>
#include <cerrno>
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
std::filesystem::path before_in(const std::filesystem::path& state_dir) {
  return state_dir / "overlay.json.before";
}

struct StoredText {
  std::optional<std::string> content;
  std::vector<std::string> notes;
  bool is_newest = true;
};

/// What is in the store, or was before it, when that is damaged or not there.
Result<StoredText> read_newest(Files& files, const std::filesystem::path& path,
                               const std::filesystem::path& before) {
  HOLDFAST_TRY(StateFile newest, read_state(files, path, kKind, kMaxBytes));
  StoredText out;
  const bool is_damaged = !newest.note.empty();
  if (is_damaged) out.notes.push_back(std::move(newest.note));
  out.content = std::move(newest.content);
  if (out.content) return out;
  HOLDFAST_TRY(StateFile older, read_state(files, before, kKind, kMaxBytes));
  if (!older.note.empty()) out.notes.push_back(std::move(older.note));
  out.content = std::move(older.content);
  out.is_newest = false;
  if (out.content && is_damaged)
    out.notes.push_back(before.native() + ", the state before it, is used instead");
  return out;
}

}  // namespace

Result<std::optional<StoreOwner>> stored_owner(Files& files, const std::filesystem::path& state_dir) {
  ReadOnlyFiles looked_at(files);
  HOLDFAST_TRY(const StoredText stored, read_newest(looked_at, path_in(state_dir), before_in(state_dir)));
  if (!stored.content) return std::nullopt;
  std::string_view rest = *stored.content;
  Result<Header> header = decode_header(take_line(rest));
  return header ? std::optional(std::move(header->owner)) : std::nullopt;
}

OverlayStore::OverlayStore(Files& files, const std::filesystem::path& state_dir, StoreOwner owner)
    : files_(files), path_(path_in(state_dir)), before_(before_in(state_dir)), owner_(std::move(owner)) {}

Result<OverlayStore::Loaded> OverlayStore::load() {
  HOLDFAST_TRY(StoredText stored, read_newest(files_, path_, before_));
  Loaded out;
  out.notes = std::move(stored.notes);
  if (!stored.content) return out;

  std::string_view rest = *stored.content;
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
  if (out.notes.empty() && stored.is_newest) saved_digest_ = sha512_hex(*stored.content);
  return out;
}

Status OverlayStore::save(const OverlayState& state) {
  const std::string content = encode(owner_, state);
  std::string digest = sha512_hex(content);
  if (digest == saved_digest_) return {};
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), kFolderMode));
  // What was neither loaded whole nor saved is no better than what was before it.
  const bool is_whole = !saved_digest_.empty();
  saved_digest_.clear();
  if (is_whole) HOLDFAST_CHECK(put_aside());
  HOLDFAST_CHECK(write_state(files_, path_, kKind, content));
  HOLDFAST_CHECK(make_first_before(content));
  saved_digest_ = std::move(digest);
  return {};
}

Status OverlayStore::put_aside() {
  Status done = files_.rename(path_, before_);
  if (!done && done.error().sys_errno == ENOENT) return {};  // somebody has taken it away
  return done;
}

// What never changes again after the first save has a second copy, too.
Status OverlayStore::make_first_before(const std::string& content) {
  HOLDFAST_TRY(const auto before, files_.read(before_, kMaxBytes));
  return before ? Status{} : write_state(files_, before_, kKind, content);
}

}  // namespace holdfast::flannel
