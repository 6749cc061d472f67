#include "csi-lvm/nrm/topology.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/text.h"
#include "common/yaml/yaml.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/nrm/device_selector.h"

namespace holdfast::nrm {
namespace {

using nlohmann::json;

constexpr const char* kGroups = "volumegroup";
constexpr const char* kQuotaPaths = "quotapath";
constexpr const char* kMemory = "memory";
constexpr std::array<const char*, 3> kKeys{kGroups, kQuotaPaths, kMemory};
constexpr std::size_t kShown = 120;

Result<NodeRule> read_rule(const JsonObject& entry) {
  constexpr std::array<std::pair<std::string_view, NodeRule::Operator>, 4> kOperators{
      {{"in", NodeRule::Operator::kIn},
       {"notin", NodeRule::Operator::kNotIn},
       {"exists", NodeRule::Operator::kExists},
       {"doesnotexist", NodeRule::Operator::kDoesNotExist}}};
  NodeRule rule;
  HOLDFAST_TRY(rule.key, entry["key"].string());
  if (rule.key.empty()) return refuse("key: is empty; it names a label of nodes");
  HOLDFAST_TRY(const std::string word, entry["operator"].string());
  const auto* const found =
      std::ranges::find(kOperators, lower(word), &std::pair<std::string_view, NodeRule::Operator>::first);
  if (found == kOperators.end()) {
    return entry["operator"].refuse("is none of In, NotIn, Exists, DoesNotExist");
  }
  rule.op = found->second;
  const bool compares = rule.op == NodeRule::Operator::kIn || rule.op == NodeRule::Operator::kNotIn;
  if (compares) {
    HOLDFAST_TRY(rule.value, plain_text(entry["value"]));
  }
  return rule;
}

Result<JsonObject> read_device_topology(const JsonObject& entry) {
  HOLDFAST_TRY(const JsonObject topology, entry["topology"].object());
  HOLDFAST_TRY(const std::string type, topology["type"].string());
  if (type == "device") return topology;
  return refuse("topology.type " + in_quotes(type) +
                " is not supported: use 'device' and name the disks in topology.devices");
}

// Folders of the system, where nothing of ours is mounted.
bool is_system_folder(std::string_view path) {
  constexpr std::array<std::string_view, 13> kSystem{"/bin",   "/boot", "/dev",  "/etc", "/lib",
                                                     "/lib64", "/proc", "/root", "/run", "/sbin",
                                                     "/sys",   "/tmp",  "/usr"};
  return std::ranges::any_of(kSystem, [path](std::string_view folder) {
    return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
  });
}

Status check_folder(const std::string& path) {
  const auto holds = [&path](std::string_view part) { return path.find(part) != std::string::npos; };
  const bool plain = path.size() > 1 && path.front() == '/' && path.back() != '/' && !holds("//") &&
                     !holds("/./") && !holds("/../") && !path.ends_with("/.") && !path.ends_with("/..") &&
                     std::ranges::all_of(path, [](char c) { return c > ' ' && c != '\x7f'; });
  if (!plain) return refuse("the folder " + in_quotes(path) + " must be a plain absolute path");
  if (path.find('/', 1) == std::string::npos) {
    return refuse("the folder " + in_quotes(path) + " must be within another, as /mnt/path1 is");
  }
  if (is_system_folder(path)) return refuse("the folder " + in_quotes(path) + " is one of the system's");
  return {};
}

Result<GroupEntry> read_group(const JsonObject& entry, NodeRule rule) {
  GroupEntry group;
  group.rule = std::move(rule);
  HOLDFAST_TRY(group.name, entry["name"].string());
  HOLDFAST_CHECK(lvm::check_name(group.name));
  HOLDFAST_TRY(const JsonObject topology, read_device_topology(entry));
  HOLDFAST_TRY(group.devices, read_devices(topology));
  return group;
}

Result<QuotaPathEntry> read_quota_path(const JsonObject& entry, NodeRule rule) {
  QuotaPathEntry path;
  path.rule = std::move(rule);
  HOLDFAST_TRY(path.path, entry["name"].string());
  HOLDFAST_CHECK(check_folder(path.path));
  HOLDFAST_TRY(const JsonObject topology, read_device_topology(entry));
  HOLDFAST_TRY(path.devices, read_devices(topology));
  HOLDFAST_TRY(path.fs_type, topology["fstype"].string_or("ext4"));
  if (path.fs_type != "ext4" && path.fs_type != "xfs") {
    return refuse("topology.fstype " + in_quotes(path.fs_type) + " is none of ext4, xfs");
  }
  HOLDFAST_TRY(const std::string options, topology["options"].string_or("prjquota"));
  if (options != "prjquota") return refuse("topology.options " + in_quotes(options) + " is not prjquota");
  return path;
}

class Reader {
 public:
  void read(const std::string& key, std::string_view text) {
    auto documents = parse_yaml(text);
    if (!documents) return reject(key, documents.error().message);
    if (documents->empty()) return;  // a key without a list asks for nothing
    const auto map = documents->size() == 1 ? JsonObject::of(documents->front())
                                            : Result<JsonObject>(refuse("holds several documents"));
    if (!map) return reject(key, map.error().message);
    for (const std::string& other : map->keys()) {
      if (other != key) reject(key, in_quotes(other) + " is not known there: the list is called " + key);
    }
    const auto entries = (*map)[key].array_or_empty();
    if (!entries) return reject(key, entries.error().message);
    for (const JsonField& entry : *entries) read_entry(key, entry);
  }
  void reject(std::string entry, std::string why, std::optional<NodeRule> rule = {}) {
    out.rejected.push_back({std::move(entry), std::move(why), std::move(rule)});
  }

  Topology out;

 private:
  void read_entry(const std::string& key, const JsonField& field) {
    const auto entry = field.object();
    if (!entry) return reject(field.path(), entry.error().message);
    const std::string name = (*entry)["name"].string_or("").value_or("");
    const std::string called = name.empty() ? field.path() : printable(name, kShown);
    auto rule = read_rule(*entry);
    if (!rule) return reject(called, rule.error().message);
    if (key == kMemory) {
      return reject(called, "memory (pmem) is not supported: only disks are; take the entry out", *rule);
    }
    if (key == kQuotaPaths) return keep(called, *rule, read_quota_path(*entry, *rule), out.quota_paths);
    keep(called, *rule, read_group(*entry, *rule), out.groups);
  }

  template <class Entry>
  void keep(const std::string& called, const NodeRule& rule, Result<Entry> entry, std::vector<Entry>& into) {
    if (!entry) return reject(called, std::move(entry).error().message, rule);
    into.push_back(*std::move(entry));
  }
};

// Of a file: a text as in a ConfigMap, or the list that the text would hold.
Result<std::string> text_of(const JsonField& field) {
  if (field.raw().is_array()) {
    const std::string& key = field.path();
    return dump_json(json{{key.substr(key.rfind('.') + 1), field.raw()}});
  }
  return field.string();
}

}  // namespace

bool NodeRule::holds(const NodeLabels& labels) const {
  const auto label = labels.find(key);
  const bool there = label != labels.end();
  switch (op) {
    case Operator::kIn:
      return there && label->second == value;
    case Operator::kNotIn:
      return !there || label->second != value;
    case Operator::kExists:
      return there;
    case Operator::kDoesNotExist:
      break;
  }
  return !there;
}

Topology Topology::of_node(const NodeLabels& labels) const {
  Topology own = *this;
  std::erase_if(own.groups, [&](const GroupEntry& entry) { return !entry.rule.holds(labels); });
  std::erase_if(own.quota_paths, [&](const QuotaPathEntry& entry) { return !entry.rule.holds(labels); });
  std::erase_if(own.rejected,
                [&](const Rejected& entry) { return entry.rule && !entry.rule->holds(labels); });
  return own;
}

Topology parse_topology(const ConfigData& data) {
  Reader reader;
  for (const auto& [key, text] : data) {
    if (std::ranges::find(kKeys, key) != kKeys.end()) {
      reader.read(key, text);
    } else {
      reader.reject(printable(key, kShown),
                    "this key is not known; there are volumegroup, quotapath, memory");
    }
  }
  return std::move(reader.out);
}

Result<ConfigData> parse_config_file(std::string_view text) {
  HOLDFAST_TRY(const std::vector<json> documents, parse_yaml(text));
  if (documents.size() != 1) return refuse("must hold one document, a ConfigMap or its data");
  HOLDFAST_TRY(const JsonObject document, JsonObject::of(documents.front()));
  const bool manifest = document["kind"].present() || document["data"].present();
  HOLDFAST_TRY(const JsonObject data, manifest ? document["data"].object_or_empty() : document);
  ConfigData out;
  for (const std::string& key : data.keys()) {
    if (!data[key].present()) continue;
    HOLDFAST_TRY(out[key], text_of(data[key]));
  }
  if (!manifest && out.empty()) return refuse("holds none of volumegroup, quotapath, memory");
  return out;
}

Result<NodeLabels> parse_labels(std::string_view text) {
  NodeLabels labels;
  while (!text.empty()) {
    std::string_view line = trim(take_until(text, '\n'));
    if (line.starts_with('#')) continue;
    while (!line.empty()) {
      std::string_view value = trim(take_until(line, ','));
      if (value.empty()) continue;
      const bool pair = value.find('=') != std::string_view::npos;
      const std::string_view key = trim(take_until(value, '='));
      if (!pair || key.empty()) return refuse("the label " + in_quotes(key) + " is not key=value");
      labels[std::string(key)] = trim(value);
    }
  }
  return labels;
}

}  // namespace holdfast::nrm
