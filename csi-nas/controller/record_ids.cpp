#include "csi-nas/controller/record_ids.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/text.h"
#include "csi-nas/controller/class_parameters.h"
#include "csi-nas/volumes/handle.h"

namespace holdfast::nas {
namespace {

// Of a class's parameters those by which a share is mounted.
constexpr std::array<std::string_view, 3> kMounting{"vers", "options", "mountprotocol"};

std::string snapshots_folder() { return RelativePath::of_snapshot("x").parent(); }

// "[fd00::5]" where the address needs it.
std::string server_of(const NasShare& share) {
  return share.host.find(':') == std::string::npos ? share.host : "[" + share.host + "]";
}

}  // namespace

NasAttributes mount_attributes(const std::map<std::string, std::string>& parameters, const NasShare& share) {
  NasAttributes out;
  for (const auto& [key, value] : parameters) {
    const std::string name = lower_case(key);
    if (std::ranges::find(kMounting, name) != kMounting.end()) out[name] = value;
  }
  if (share.host.empty()) return out;
  out["server"] = server_of(share);
  out["path"] = share.path;
  return out;
}

std::string id_of(const NasRecord& record, const NasShare& share) {
  if (record.kind == NasRecord::Kind::kSharepath) return record.name;
  NasHandle handle{.server = share.host, .share = share.path, .directory = {}, .name = record.name};
  const bool snapshot = record.kind == NasRecord::Kind::kSnapshot;
  const std::string path = snapshot ? RelativePath::of_snapshot(record.name).text() : record.directory;
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos) handle.directory = path.substr(0, slash);
  if (!record.site.empty()) {
    // What has no slash in front is no server's: so no other volume is called alike.
    handle.directory = path;
    handle.server = record.site + "/" + share.host;
  } else if (path.substr(slash + 1) == record.name) {
    if (std::optional<std::string> whole = format_handle(handle)) return *std::move(whole);
  } else {
    // Two volumes that have one directory, one after the other, are not called alike.
    handle.directory = path;
  }
  return hashed_handle(handle);
}

Result<std::optional<NasRecord>> record_from_handle(const std::string& id) {
  HOLDFAST_TRY(const std::optional<NasHandle> handle, parse_handle(id));
  if (!handle) return std::optional<NasRecord>{};
  NasRecord record;
  record.id = id;
  record.name = handle->name;
  record.attributes = mount_attributes({}, NasShare{.host = handle->server, .path = handle->share});
  record.ready = true;
  if (handle->directory == snapshots_folder()) {
    record.kind = NasRecord::Kind::kSnapshot;
    record.directory = handle->name;
    record.on_delete = OnDelete::kDelete;
    return std::optional(std::move(record));
  }
  record.directory = handle->directory.empty() ? handle->name : handle->directory + "/" + handle->name;
  return std::optional(std::move(record));
}

Result<NasSource> share_of(const NasRecord& record) {
  return parse_source(record.attributes, record.mount_options, "");
}

bool is_same_share(const NasRecord& one, const NasRecord& other) {
  const auto is_same = [&](const char* key) {
    const auto found = one.attributes.find(key);
    const auto there = other.attributes.find(key);
    return found != one.attributes.end() && there != other.attributes.end() && found->second == there->second;
  };
  return one.site == other.site && is_same("server") && is_same("path");
}

Result<NasAttributes> volume_context(const NasRecord& record) {
  HOLDFAST_TRY(const NasSource source, share_of(record));
  NasAttributes out = record.attributes;
  if (record.kind != NasRecord::Kind::kSubpath) return out;
  const std::string& path = source.shares.front().path;
  out["path"] = (path == "/" ? "" : path) + "/" + record.directory;
  return out;
}

}  // namespace holdfast::nas
