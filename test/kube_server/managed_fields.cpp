#include "test/kube_server/managed_fields.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace holdfast::test {
namespace {

using nlohmann::json;
/// Steps as FieldsV1 writes them: "f:NAME" to a member, "k:{KEYS}" to an element of a list of type map.
using Path = std::vector<std::string>;
using Paths = std::set<Path>;

bool is_element(const std::string& step) { return step.starts_with("k:"); }

// Members of an object that nobody manages.
bool is_unmanaged(const Path& path) {
  static const std::set<Path> unmanaged{{"f:apiVersion"},
                                        {"f:kind"},
                                        {"f:metadata", "f:name"},
                                        {"f:metadata", "f:namespace"},
                                        {"f:metadata", "f:uid"},
                                        {"f:metadata", "f:resourceVersion"},
                                        {"f:metadata", "f:generation"},
                                        {"f:metadata", "f:creationTimestamp"},
                                        {"f:metadata", "f:managedFields"}};
  return unmanaged.contains(path);
}

const json* member_of(const json* schema, const char* words, const std::string& name) {
  if (schema == nullptr || !schema->contains(words) || !(*schema)[words].contains(name)) {
    return nullptr;
  }
  return &(*schema)[words][name];
}

// The keys of a list of type map, else null.
const json* keys_of(const json* schema) {
  const bool map = schema != nullptr && schema->value("x-kubernetes-list-type", "") == "map";
  return map ? &schema->at("x-kubernetes-list-map-keys") : nullptr;
}

json key_of(const json& element, const json& keys) {
  json out = json::object();
  for (const json& name : keys) {
    const auto& text = name.get_ref<const std::string&>();
    out[text] = element.is_object() ? element.value(text, json()) : json();
  }
  return out;
}

bool has_key(const json& element, const json& key) {
  for (const auto& [name, value] : key.items()) {
    if (!element.is_object() || !element.contains(name) || element[name] != value) {
      return false;
    }
  }
  return true;
}

// The paths of all values that are no objects, and of the objects that have none. Elements of lists of type
// map have paths of their own, too: who has one of these keeps the element.
class Leaves {
 public:
  static Paths of(const json& object, const json* schema) {
    Leaves out;
    out.collect(object, schema);
    return std::move(out.paths_);
  }

 private:
  void collect(const json& value, const json* schema) {
    if (is_unmanaged(path_)) {
      return;
    }
    const json* keys = keys_of(schema);
    if (keys != nullptr && value.is_array() && !value.empty()) {
      collect_elements(value, *keys, schema);
    } else if (!value.is_object() || (value.empty() && !path_.empty())) {
      paths_.insert(path_);
    } else {
      for (const auto& [name, member] : value.items()) {
        path_.push_back("f:" + name);
        collect(member, member_of(schema, "properties", name));
        path_.pop_back();
      }
    }
  }
  void collect_elements(const json& list, const json& keys, const json* schema) {
    for (const json& element : list) {
      path_.push_back("k:" + key_of(element, keys).dump());
      paths_.insert(path_);
      collect(element, schema->contains("items") ? &(*schema)["items"] : nullptr);
      path_.pop_back();
    }
  }

  Path path_;
  Paths paths_;
};

// Null where there is none. `Json`: json, constant or not.
template <class Json>
Json* step_into(Json& value, const std::string& step) {
  const std::string name = step.substr(2);
  if (!is_element(step)) {
    return value.is_object() && value.contains(name) ? &value[name] : nullptr;
  }
  const json key = json::parse(name);
  for (Json& each : value) {
    if (has_key(each, key)) {
      return &each;
    }
  }
  return nullptr;
}

template <class Json>
Json* value_at(Json& object, const Path& path) {
  Json* at = &object;
  for (const std::string& step : path) {
    at = at == nullptr ? nullptr : step_into(*at, step);
  }
  return at;
}

// A list whose last element goes, goes.
void erase_at(json& object, const Path& path) {
  const Path parent(path.begin(), path.end() - 1);
  json* from = value_at(object, parent);
  const std::string name = path.back().substr(2);
  if (from != nullptr && from->is_object() && !is_element(path.back())) {
    from->erase(name);
  } else if (from != nullptr && from->is_array() && is_element(path.back())) {
    const json key = json::parse(name);
    json left = json::array();
    std::ranges::copy_if(*from, std::back_inserter(left),
                         [&](const json& each) { return !has_key(each, key); });
    *from = std::move(left);
    if (from->empty()) {
      erase_at(object, parent);
    }
  }
}

// FieldsV1: "." says that the object, or the element, itself is the writer's.
json to_fields(const Paths& paths, bool with_dots) {
  json out = json::object();
  for (const Path& path : paths) {
    json* at = &out;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (i > 0 && with_dots && !(i == 1 && path[0] == "f:metadata")) {
        (*at)["."] = json::object();
      }
      at = &(*at)[path[i]];
    }
    *at = at->is_null() ? json::object() : *at;
    if (is_element(path.back())) {
      (*at)["."] = json::object();
    }
  }
  return out;
}

void collect_fields(const json& fields, Path& path, Paths& out) {
  bool leaf = true;
  for (const auto& [step, member] : fields.items()) {
    if (step.starts_with("f:") || is_element(step)) {
      leaf = false;
      path.push_back(step);
      collect_fields(member, path, out);
      path.pop_back();
    }
  }
  const bool element = !path.empty() && is_element(path.back()) && fields.contains(".");
  if (element || (leaf && !path.empty())) {
    out.insert(path);
  }
}

Paths paths_of(const json& entry) {
  Paths out;
  Path path;
  collect_fields(entry["fieldsV1"], path, out);
  return out;
}

bool is_entry_of(const json& entry, const FieldWriter& writer) {
  return entry["manager"] == writer.manager && entry["operation"] == writer.operation &&
         entry.value("subresource", "") == writer.subresource;
}

json entry_of(const FieldWriter& writer, const Paths& paths) {
  json entry{
      {"manager", writer.manager},        {"operation", writer.operation},
      {"apiVersion", writer.api_version}, {"time", writer.time},
      {"fieldsType", "FieldsV1"},         {"fieldsV1", to_fields(paths, writer.operation == "Update")}};
  if (!writer.subresource.empty()) {
    entry["subresource"] = writer.subresource;
  }
  return entry;
}

// Gives `mine` to the writer's entry in place of what it had (`add`: besides), and takes it from those whom
// `loses` names.
template <class Loses>
json reassigned(const json& entries, const FieldWriter& writer, const Paths& mine, bool add, Loses loses) {
  json out = json::array();
  Paths own = mine;
  bool unchanged = false;
  for (const json& entry : entries) {
    Paths paths = paths_of(entry);
    if (is_entry_of(entry, writer)) {
      own.insert(add ? paths.begin() : paths.end(), paths.end());
      unchanged = own == paths;
      if (unchanged) {
        out.push_back(entry);
      }
      continue;
    }
    std::erase_if(paths, [&](const Path& path) { return mine.contains(path) && loses(path); });
    if (paths == paths_of(entry)) {
      out.push_back(entry);
    } else if (!paths.empty()) {
      out.push_back(entry_of({.manager = entry["manager"],
                              .operation = entry["operation"],
                              .subresource = entry.value("subresource", ""),
                              .api_version = entry["apiVersion"],
                              .time = entry["time"]},
                             paths));
    }
  }
  if (!own.empty() && !unchanged) {
    out.push_back(entry_of(writer, own));
  }
  std::stable_sort(out.begin(), out.end(), [](const json& a, const json& b) {
    const auto order = [](const json& entry) {
      return std::tuple<std::string, std::string, std::string>(entry["operation"], entry["time"],
                                                               entry["manager"]);
    };
    return order(a) < order(b);
  });
  return out;
}

json entries_of(const json& object) {
  const json* entries = value_at(object, {"f:metadata", "f:managedFields"});
  return entries == nullptr ? json::array() : *entries;
}

// Sets what `applied` has, member by member.
void merge(json& object, const json& applied, const json* schema);

void merge_elements(json& list, const json& applied, const json& keys, const json* schema) {
  for (const json& element : applied) {
    const json key = key_of(element, keys);
    const auto found = std::ranges::find_if(list, [&](const json& each) { return has_key(each, key); });
    if (found == list.end()) {
      list.push_back(element);
    } else {
      merge(*found, element, schema->contains("items") ? &(*schema)["items"] : nullptr);
    }
  }
}

void merge(json& object, const json& applied, const json* schema) {
  for (const auto& [name, member] : applied.items()) {
    const json* its_schema = member_of(schema, "properties", name);
    const json* keys = keys_of(its_schema);
    if (member.is_object() && object.contains(name) && object[name].is_object()) {
      merge(object[name], member, its_schema);
    } else if (keys != nullptr && member.is_array() && object.contains(name) && object[name].is_array()) {
      merge_elements(object[name], member, *keys, its_schema);
    } else {
      object[name] = member;
    }
  }
}

/// ".status.accessPoints[name=\"one\"].active".
std::string shown(const Path& path) {
  std::string out;
  for (const std::string& step : path) {
    if (!is_element(step)) {
      out += "." + step.substr(2);
      continue;
    }
    std::string keys;
    const json key = json::parse(step.substr(2));
    for (const auto& [name, value] : key.items()) {
      keys += (keys.empty() ? "" : ",") + name + "=" + value.dump();
    }
    out += "[" + keys + "]";
  }
  return out;
}

bool is_within(const Path& path, const Path& outer) {
  return path.size() > outer.size() && std::equal(outer.begin(), outer.end(), path.begin());
}

}  // namespace

void record_update(const json& before, json& after, const FieldWriter& writer, const json* schema) {
  Paths changed;
  for (const Path& path : Leaves::of(after, schema)) {
    const json* old = value_at(before, path);
    if (old == nullptr || (!is_element(path.back()) && *old != *value_at(std::as_const(after), path))) {
      changed.insert(path);
    }
  }
  const json entries = entries_of(before);
  after["metadata"]["managedFields"] =
      changed.empty() ? entries
                      : reassigned(entries, writer, changed, /*add=*/true, [](const Path&) { return true; });
}

std::optional<ApplyConflict> apply_fields(json& object, const json& applied, const FieldWriter& writer,
                                          bool force, const json* schema) {
  const Paths mine = Leaves::of(applied, schema);
  const json entries = entries_of(object);
  const auto differs = [&](const Path& path) {
    const json* old = value_at(std::as_const(object), path);
    return old == nullptr || (!is_element(path.back()) && *old != *value_at(applied, path));
  };
  Paths dropped;
  Paths of_others;
  for (const json& entry : entries) {
    const Paths paths = paths_of(entry);
    (is_entry_of(entry, writer) ? dropped : of_others).insert(paths.begin(), paths.end());
    for (const Path& path : paths) {
      if (!force && !is_entry_of(entry, writer) && mine.contains(path) && differs(path)) {
        return ApplyConflict{.manager = entry["manager"], .field = shown(path)};
      }
    }
  }
  object["metadata"]["managedFields"] = reassigned(entries, writer, mine, /*add=*/false, differs);
  const auto is_kept = [&](const Path& path) {
    return mine.contains(path) || of_others.contains(path) ||
           std::ranges::any_of(of_others, [&](const Path& other) { return is_within(other, path); });
  };
  for (const Path& path : dropped) {
    if (!is_kept(path)) {
      erase_at(object, path);
    }
  }
  merge(object, applied, schema);
  return std::nullopt;
}

}  // namespace holdfast::test
