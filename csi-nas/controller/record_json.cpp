#include "csi-nas/controller/record_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace holdfast::nas {
namespace {

constexpr std::array<std::string_view, 5> kKinds{"subpath", "sharepath", "snapshot", "filesystem",
                                                 "accesspoint"};

}  // namespace

nlohmann::json record_to_json(const NasRecord& record) {
  nlohmann::json out{{"kind", kKinds[static_cast<std::size_t>(record.kind)]},
                     {"id", record.id},
                     {"name", record.name},
                     {"attributes", record.attributes},
                     {"mountOptions", record.mount_options},
                     {"directory", record.directory},
                     {"bytes", record.bytes},
                     {"onDelete", to_string(record.on_delete)},
                     {"source", record.source},
                     {"ofSnapshot", record.of_snapshot},
                     {"made", record.made},
                     {"ready", record.ready}};
  if (!record.site.empty()) out["site"] = record.site;
  if (record.deleting) out["deleting"] = true;
  return out;
}

Result<NasRecord> record_from_json(const JsonObject& object) {
  NasRecord record;
  HOLDFAST_TRY(const std::string kind, object["kind"].string());
  const auto* const known = std::ranges::find(kKinds, kind);
  if (known == kKinds.end()) return object["kind"].refuse("is not known");
  record.kind = static_cast<NasRecord::Kind>(known - kKinds.begin());
  HOLDFAST_TRY(record.id, object["id"].string());
  HOLDFAST_TRY(record.name, object["name"].string());
  HOLDFAST_TRY(const JsonObject attributes, object["attributes"].object_or_empty());
  for (const std::string& key : attributes.keys()) {
    HOLDFAST_TRY(record.attributes[key], attributes[key].string());
  }
  HOLDFAST_TRY(record.mount_options, object["mountOptions"].strings_or_empty());
  HOLDFAST_TRY(record.directory, object["directory"].string_or(""));
  HOLDFAST_TRY(record.site, object["site"].string_or(""));
  HOLDFAST_TRY(const std::int64_t bytes, object["bytes"].integer_or(0, 0, INT64_MAX));
  record.bytes = static_cast<std::uint64_t>(bytes);
  HOLDFAST_TRY(const std::string policy, object["onDelete"].string());
  record.on_delete = parse_on_delete(policy).value_or(OnDelete::kArchive);
  HOLDFAST_TRY(record.source, object["source"].string_or(""));
  HOLDFAST_TRY(record.of_snapshot, object["ofSnapshot"].boolean_or(false));
  HOLDFAST_TRY(record.made, object["made"].integer_or(0, INT64_MIN, INT64_MAX));
  HOLDFAST_TRY(record.ready, object["ready"].boolean_or(false));
  HOLDFAST_TRY(record.deleting, object["deleting"].boolean_or(false));
  return record;
}

}  // namespace holdfast::nas
