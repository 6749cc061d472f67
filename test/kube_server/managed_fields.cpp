#include "test/kube_server/managed_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace holdfast::test {
namespace {

using nlohmann::json;
using Path = std::vector<std::string>;
using Paths = std::set<Path>;

// Members of an object that nobody manages.
bool is_unmanaged(const Path& path) {
  static const std::set<Path> unmanaged{{"apiVersion"},
                                        {"kind"},
                                        {"metadata", "name"},
                                        {"metadata", "namespace"},
                                        {"metadata", "uid"},
                                        {"metadata", "resourceVersion"},
                                        {"metadata", "generation"},
                                        {"metadata", "creationTimestamp"},
                                        {"metadata", "managedFields"}};
  return unmanaged.contains(path);
}

// The paths of all values that are no objects, and of the objects that have none.
void collect_leaves(const json& value, Path& path, Paths& out) {
  if (is_unmanaged(path)) {
    return;
  }
  if (!value.is_object() || (value.empty() && !path.empty())) {
    out.insert(path);
    return;
  }
  for (const auto& [name, member] : value.items()) {
    path.push_back(name);
    collect_leaves(member, path, out);
    path.pop_back();
  }
}

Paths leaves_of(const json& object) {
  Paths out;
  Path path;
  collect_leaves(object, path, out);
  return out;
}

const json* value_at(const json& object, const Path& path) {
  const json* at = &object;
  for (const std::string& name : path) {
    const auto found = at->is_object() ? at->find(name) : at->end();
    if (!at->is_object() || found == at->end()) {
      return nullptr;
    }
    at = &*found;
  }
  return at;
}

void erase_at(json& object, const Path& path) {
  json* at = &object;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (!at->contains(path[i])) {
      return;
    }
    at = &(*at)[path[i]];
  }
  at->erase(path.back());
}

// FieldsV1: a member is "f:NAME"; "." says that the object itself is the writer's.
json to_fields(const Paths& paths, bool with_dots) {
  json out = json::object();
  for (const Path& path : paths) {
    json* at = &out;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (i > 0 && with_dots && !(i == 1 && path[0] == "metadata")) {
        (*at)["."] = json::object();
      }
      at = &(*at)["f:" + path[i]];
    }
    *at = at->is_null() ? json::object() : *at;
  }
  return out;
}

void collect_fields(const json& fields, Path& path, Paths& out) {
  bool leaf = true;
  for (const auto& [name, member] : fields.items()) {
    if (name.starts_with("f:")) {
      leaf = false;
      path.push_back(name.substr(2));
      collect_fields(member, path, out);
      path.pop_back();
    }
  }
  if (leaf && !path.empty()) {
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
  const json* entries = value_at(object, {"metadata", "managedFields"});
  return entries == nullptr ? json::array() : *entries;
}

// Sets what `applied` has, member by member.
void merge(json& object, const json& applied) {
  for (const auto& [name, member] : applied.items()) {
    if (member.is_object() && object.contains(name) && object[name].is_object()) {
      merge(object[name], member);
    } else {
      object[name] = member;
    }
  }
}

}  // namespace

void record_update(const json& before, json& after, const FieldWriter& writer) {
  Paths changed;
  for (const Path& path : leaves_of(after)) {
    const json* old = value_at(before, path);
    if (old == nullptr || *old != *value_at(after, path)) {
      changed.insert(path);
    }
  }
  const json entries = entries_of(before);
  after["metadata"]["managedFields"] =
      changed.empty() ? entries
                      : reassigned(entries, writer, changed, /*add=*/true, [](const Path&) { return true; });
}

std::optional<ApplyConflict> apply_fields(json& object, const json& applied, const FieldWriter& writer,
                                          bool force) {
  const Paths mine = leaves_of(applied);
  const json entries = entries_of(object);
  const auto differs = [&](const Path& path) {
    const json* old = value_at(object, path);
    return old == nullptr || *old != *value_at(applied, path);
  };
  Paths dropped;
  Paths of_others;
  for (const json& entry : entries) {
    const Paths paths = paths_of(entry);
    (is_entry_of(entry, writer) ? dropped : of_others).insert(paths.begin(), paths.end());
    for (const Path& path : paths) {
      if (!force && !is_entry_of(entry, writer) && mine.contains(path) && differs(path)) {
        std::string field;
        for (const std::string& name : path) {
          field += "." + name;
        }
        return ApplyConflict{.manager = entry["manager"], .field = std::move(field)};
      }
    }
  }
  object["metadata"]["managedFields"] = reassigned(entries, writer, mine, /*add=*/false, differs);
  for (const Path& path : dropped) {
    if (!mine.contains(path) && !of_others.contains(path)) {
      erase_at(object, path);
    }
  }
  merge(object, applied);
  return std::nullopt;
}

}  // namespace holdfast::test
