#include "test/kube_server/verbs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "test/kube_server/continue_token.h"
#include "test/kube_server/eviction.h"
#include "test/kube_server/immutable.h"
#include "test/kube_server/patches.h"
#include "test/kube_server/renditions.h"
#include "test/kube_server/schema_refusal.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kCreated = 201;
constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kConflict = 409;
constexpr int kGone = 410;
constexpr int kUnsupportedMediaType = 415;
constexpr int kUnprocessable = 422;
constexpr const char* kApply = "application/apply-patch+yaml";
constexpr const char* kJsonPatch = "application/json-patch+json";
constexpr const char* kMerge = "application/merge-patch+json";
constexpr const char* kStrategic = "application/strategic-merge-patch+json";

Rendition rendition_of(const ApiCall& call) {
  return Rendition::asked_for(call.header("accept"), call.query("includeObject"));
}

Reply reply_with_object(const ApiCall& call, int status, const json& object) {
  return reply_with(status, rendition_of(call).of_object(call.kind, object, /*with_headers=*/true));
}

json without(json object, const char* path) {
  const json::json_pointer pointer(path);
  if (object.contains(pointer)) {
    object[pointer.parent_pointer()].erase(pointer.back());
  }
  return object;
}

// What tells lists of type map from others; null: no list is one.
const json* schema_of(const ServedKind& kind) {
  const bool known = kind.custom && kind.definition.contains(json::json_pointer("/schema/openAPIV3Schema"));
  return known ? &kind.definition["schema"]["openAPIV3Schema"] : nullptr;
}

// Nothing is kept of such a call; its answer is the one that it would have had.
bool is_dry_run(const ApiCall& call) {
  const json options = json::parse(call.request.body, nullptr, /*allow_exceptions=*/false);
  return call.query("dryRun") == "All" ||
         (options.is_object() && options.value("dryRun", json()) == json::array({"All"}));
}

// What a DELETE says of what is the object's: in its body or its query.
bool leaves_orphans(const ApiCall& call, const json& options) {
  const std::string policy = call.query("propagationPolicy");
  return (options.is_object() ? options.value("propagationPolicy", policy) : policy) == "Orphan";
}

// By types and, where they are asked for, members that nobody knows.
std::optional<Reply> refused_by_members(const ApiCall& call, json& object) {
  const json sent = object;
  if (auto refused = refused_by_types(call.kind, object)) return refused;
  if (call.query("fieldValidation") != "Strict" || object == sent) return std::nullopt;
  std::string field = json::diff(object, sent).front()["path"].get<std::string>().substr(1);
  std::ranges::replace(field, '/', '.');
  return fail_with(kBadRequest, "BadRequest",
                   call.kind.kind + " in version \"" + call.kind.version + "\" cannot be handled as a " +
                       call.kind.kind + ": strict decoding error: unknown field \"" + field + "\"");
}

// What a write to the main resource or to its status may not change stays as it was.
void keep_what_is_not_written(const ApiCall& call, const json& before, json& after) {
  for (const char* member :
       {"uid", "name", "namespace", "creationTimestamp", "deletionTimestamp", "generation"}) {
    if (before["metadata"].contains(member)) {
      after["metadata"][member] = before["metadata"][member];
    }
  }
  if (call.path.subresource == "status") {
    json kept = call.kind.custom ? before : after;
    if (before.contains("spec")) {
      kept["spec"] = before["spec"];
    }
    kept["status"] = after.value("status", json());
    kept["metadata"]["managedFields"] = after["metadata"].value("managedFields", json::array());
    after = std::move(kept);
  } else if (call.kind.has_status) {
    after.erase("status");
    if (before.contains("status")) {
      after["status"] = before["status"];
    }
  }
}

}  // namespace

std::string ApiCall::query(const std::string& name) const {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

std::string ApiCall::header(const std::string& name) const {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

void Verbs::be_whole_cluster() {
  whole_cluster_ = true;
  deletion_.be_whole_cluster();
}

Reply Verbs::serve(const ApiCall& call) {
  if (call.verb == "get") {
    return get(call);
  }
  if (call.verb == "list") {
    return list(call);
  }
  if (call.verb == "create") {
    return call.path.subresource == "eviction" ? evict(call) : create(call);
  }
  if (call.verb == "update") {
    return update(call);
  }
  return call.verb == "patch" ? patch(call) : remove(call);
}

Reply Verbs::get(const ApiCall& call) const {
  const StoredObject object = store_.find(call.key());
  return object ? reply_with_object(call, 200, *object) : not_found(call.kind, call.path.name);
}

Reply Verbs::list(const ApiCall& call) {
  std::size_t limit = 0;
  const std::string limit_text = call.query("limit");
  std::from_chars(limit_text.data(), limit_text.data() + limit_text.size(), limit);
  const std::string token = call.query("continue");
  if (!token.empty()) {
    const auto version = version_of_continue_token(token);
    if (!version) {
      return fail_with(kBadRequest, "BadRequest", "invalid continue token: continue key is not valid");
    }
    const auto found = pages_.find(token);
    if (found == pages_.end()) {
      return fail_with(kGone, "Expired",
                       "The provided continue parameter is too old to display a consistent list result.");
    }
    return page_of(call, found->second, *version, limit);
  }
  std::vector<StoredObject> all = store_.list(call.kind.collection(), call.path.name_space);
  std::erase_if(all, [&](const StoredObject& object) {
    return !is_selected(*object, call.query("labelSelector"), call.query("fieldSelector"));
  });
  return page_of(call, std::move(all), store_.version(), limit);
}

Reply Verbs::page_of(const ApiCall& call, std::vector<StoredObject> rest, std::uint64_t version,
                     std::size_t limit) {
  json metadata{{"resourceVersion", std::to_string(version)}};
  if (call.kind.custom && rendition_of(call).form == Rendition::Form::kWhole) {
    metadata["continue"] = "";
  }
  if (limit > 0 && rest.size() > limit) {
    const auto next = rest.begin() + static_cast<std::ptrdiff_t>(limit);
    const std::string token = continue_token(version, (*rest[limit - 1])["metadata"]["name"]);
    pages_[token] = {next, rest.end()};
    rest.erase(next, rest.end());
    metadata["continue"] = token;
    if (call.query("labelSelector").empty() && call.query("fieldSelector").empty()) {
      metadata["remainingItemCount"] = pages_[token].size();
    }
  }
  return reply_with(200, rendition_of(call).of_list(call.kind, rest, metadata));
}

FieldWriter Verbs::writer_of(const ApiCall& call, const std::string& operation) const {
  const std::string manager = call.query("fieldManager");
  const std::string agent = call.header("user-agent");
  return {.manager = manager.empty() ? agent.substr(0, agent.find('/')) : manager,
          .operation = operation,
          .subresource = call.path.subresource,
          .api_version = call.kind.api_version(),
          .time = utc_text(clock_.now())};
}

std::string Verbs::next_uid() {
  std::array<char, 40> text{};
  const int size = std::snprintf(text.data(), text.size(), "00000000-0000-4000-8000-%012llx",
                                 static_cast<unsigned long long>(++uids_));
  return {text.data(), static_cast<std::size_t>(size)};
}

Reply Verbs::create(const ApiCall& call) {
  json object = json::parse(call.request.body, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return fail_with(kBadRequest, "BadRequest", "the object provided is not a JSON object");
  }
  json& metadata = object["metadata"];
  if (!metadata.contains("name")) {
    metadata["name"] = metadata.value("generateName", "") + next_uid().substr(31);
  }
  const std::string name = metadata["name"];
  if (store_.find({.collection = call.kind.collection(), .name_space = call.path.name_space, .name = name})) {
    return fail_about(call.kind, name, kConflict, "AlreadyExists",
                      call.kind.qualified() + " \"" + name + "\" already exists");
  }
  if (auto refused = refused_by_members(call, object)) {
    return *refused;
  }
  metadata["managedFields"] = json::array();
  record_update(json(), object, writer_of(call, "Update"), schema_of(call.kind));
  return keep_new(call, std::move(object));
}

std::optional<Reply> Verbs::not_admitted(const ApiCall& call, const json& before, const json& after) const {
  return admission_.refusal_of({.user = call.user,
                                .kind = call.kind,
                                .path = call.path,
                                .name = (after.is_null() ? before : after)["metadata"]["name"],
                                .before = before,
                                .after = after});
}

std::optional<Reply> Verbs::out_of_bounds(const ApiCall& call, const json& before, json& object) const {
  return heeds_bounds_ ? refused_by_bounds(call.kind, before, object) : std::nullopt;
}

// Of a new object.
std::optional<Reply> Verbs::no_place_for(const ApiCall& call) const {
  if (!whole_cluster_ || !call.kind.namespaced) return std::nullopt;
  const std::string& name = call.path.name_space;
  const StoredObject found = store_.find({.collection = "/namespaces", .name_space = "", .name = name});
  if (found == nullptr)
    return not_found({.version = "v1", .plural = "namespaces", .kind = "Namespace"}, name);
  if (!(*found)["metadata"].contains("deletionTimestamp")) return std::nullopt;
  return fail_with(kForbidden, "Forbidden",
                   call.kind.qualified() + " is forbidden: unable to create new content in namespace " +
                       name + " because it is being terminated");
}

Reply Verbs::keep_new(const ApiCall& call, json object) {
  if (auto refused = no_place_for(call)) {
    return *refused;
  }
  json& metadata = object["metadata"];
  metadata["uid"] = next_uid();
  metadata["creationTimestamp"] = utc_text(clock_.now());
  if (call.kind.namespaced) {
    metadata["namespace"] = call.path.name_space;
  }
  if (call.kind.has_status) {
    object.erase("status");
  }
  set_defaults(call.kind, object);
  if (auto refused = out_of_bounds(call, json(), object)) {
    return *refused;
  }
  if (auto refused = refused_as_immutable(call.kind, json(), object)) {
    return *refused;
  }
  if (auto refused = not_admitted(call, json(), object)) {
    return *refused;
  }
  if (is_dry_run(call)) {
    return reply_with_object(call, kCreated, object);
  }
  ObjectKey key = call.key();
  key.name = metadata["name"];
  return reply_with_object(call, kCreated, *store_.put(key, std::move(object)));
}

Reply Verbs::update(const ApiCall& call) {
  const StoredObject before = store_.find(call.key());
  json after = json::parse(call.request.body, nullptr, /*allow_exceptions=*/false);
  if (!after.is_object()) {
    return fail_with(kBadRequest, "BadRequest", "the object provided is not a JSON object");
  }
  if (!before) {
    return not_found(call.kind, call.path.name);
  }
  keep_what_is_not_written(call, *before, after);
  return keep_changed(call, *before, std::move(after));
}

Reply Verbs::patch(const ApiCall& call) {
  const json patch = json::parse(call.request.body, nullptr, /*allow_exceptions=*/false);
  const bool steps = call.header("content-type") == kJsonPatch;
  if (steps ? !patch.is_array() : !patch.is_object()) {
    return fail_with(kBadRequest, "BadRequest", "the patch is not what its type says");
  }
  const StoredObject before = store_.find(call.key());
  const bool applies = call.header("content-type") == kApply;
  if (!before && (!applies || !call.path.subresource.empty())) {
    return not_found(call.kind, call.path.name);
  }
  json after = before ? *before : json{{"metadata", json::object()}};
  std::optional<Reply> refused;
  apply_patch(call, patch, after, refused);
  if (refused) {
    return *refused;
  }
  if (!before) {
    refused = refused_by_members(call, after);
    return refused ? *refused : keep_new(call, std::move(after));
  }
  keep_what_is_not_written(call, *before, after);
  return keep_changed(call, *before, std::move(after));
}

void Verbs::apply_patch(const ApiCall& call, const json& patch, json& object,
                        std::optional<Reply>& refused) const {
  const std::string type = call.header("content-type");
  if (type == kApply) {
    const auto conflict = apply_fields(object, patch, writer_of(call, "Apply"), call.query("force") == "true",
                                       schema_of(call.kind));
    if (conflict) {
      refused = fail_with(
          kConflict, "Conflict",
          "Apply failed with 1 conflict: conflict with \"" + conflict->manager + "\": " + conflict->field);
    }
  } else if (type == kMerge) {
    object.merge_patch(patch);
  } else if (type == kJsonPatch) {
    try {
      object = object.patch(patch);
    } catch (const json::exception&) {
      refused = fail_with(kUnprocessable, "Invalid",
                          "the server rejected our request due to an error in our request");
    }
  } else if (type == kStrategic && !call.kind.custom) {
    strategic_merge(object, patch);
  } else {
    refused = fail_with(kUnsupportedMediaType, "UnsupportedMediaType",
                        "the body of the request was in an unknown format - accepted media types include: "
                        "application/json-patch+json, application/merge-patch+json, "
                        "application/apply-patch+yaml");
  }
}

Reply Verbs::keep_changed(const ApiCall& call, const json& before, json after) {
  const std::string given = after["metadata"].value("resourceVersion", "");
  if (!given.empty() && given != before["metadata"]["resourceVersion"]) {
    return was_modified(call.kind, call.path.name);
  }
  if (auto refused = refused_by_members(call, after)) {
    return *refused;
  }
  if (auto refused = out_of_bounds(call, before, after)) {
    return *refused;
  }
  if (auto refused = refused_as_immutable(call.kind, before, after)) {
    return *refused;
  }
  if (auto refused = not_admitted(call, before, after)) {
    return *refused;
  }
  after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"];
  const bool applied = call.header("content-type") == kApply;
  if (!applied) {
    record_update(before, after, writer_of(call, "Update"), schema_of(call.kind));
  }
  const bool same =
      applied ? after == before
              : without(after, "/metadata/managedFields") == without(before, "/metadata/managedFields");
  if (same) {
    return reply_with_object(call, 200, before);  // and nobody who watches is told
  }
  if (call.kind.has_generation() && after.value("spec", json()) != before.value("spec", json())) {
    after["metadata"]["generation"] = before["metadata"].value("generation", 0) + 1;
  }
  if (is_dry_run(call)) {
    return reply_with_object(call, 200, after);
  }
  if (after["metadata"].contains("deletionTimestamp") && deletion_.end_when_free(call.key(), after)) {
    return reply_with_object(call, 200, after);
  }
  return reply_with_object(call, 200, *store_.put(call.key(), std::move(after)));
}

Reply Verbs::evict(const ApiCall& call) {
  if (store_.find(call.key()) == nullptr) {
    return not_found(call.kind, call.path.name);
  }
  if (auto refused = refused_by_budgets(store_, call.key())) {
    return *refused;
  }
  if (!is_dry_run(call)) {
    deletion_.begin(call.key(), /*orphans=*/false);
  }
  return reply_with(kCreated, {{"kind", "Status"},
                               {"apiVersion", "v1"},
                               {"metadata", json::object()},
                               {"status", "Success"},
                               {"code", kCreated}});
}

Reply Verbs::remove(const ApiCall& call) {
  const StoredObject object = store_.find(call.key());
  if (!object) {
    return not_found(call.kind, call.path.name);
  }
  const json options = json::parse(call.request.body, nullptr, /*allow_exceptions=*/false);
  const std::string wanted =
      options.is_object() ? options.value(json::json_pointer("/preconditions/uid"), "") : "";
  const std::string uid = (*object)["metadata"]["uid"];
  if (!wanted.empty() && wanted != uid) {
    const std::string named_kind = call.kind.kind + "." + call.kind.group;
    json body =
        failure(kConflict, "Conflict",
                "Operation cannot be fulfilled on " + named_kind + " \"" + call.path.name +
                    "\": the UID in the precondition (" + wanted + ") does not match the UID in record (" +
                    uid + "). The object might have been deleted and then recreated");
    body["details"] = {{"name", call.path.name}, {"group", call.kind.group}, {"kind", call.kind.kind}};
    return reply_with(kConflict, body);
  }
  if (auto refused = not_admitted(call, *object, json())) {
    return *refused;
  }
  if (!is_dry_run(call)) {
    deletion_.begin(call.key(), leaves_orphans(call, options));
  }
  if (const StoredObject left = store_.find(call.key()); left != nullptr && !is_dry_run(call)) {
    return reply_with_object(call, 200, *left);
  }
  json details{{"name", call.path.name}, {"kind", call.kind.plural}, {"uid", uid}};
  if (!call.kind.group.empty()) {
    details["group"] = call.kind.group;
  }
  return reply_with(200, {{"kind", "Status"},
                          {"apiVersion", "v1"},
                          {"metadata", json::object()},
                          {"status", "Success"},
                          {"details", std::move(details)}});
}

}  // namespace holdfast::test
