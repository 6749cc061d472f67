#include "test/kube_server/deletion.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr const char* kNamespaces = "/namespaces";
constexpr const char* kDefinitions = "apiextensions.k8s.io/customresourcedefinitions";

bool has_finalizers(const json& object) {
  return !object["metadata"].value("finalizers", json::array()).empty();
}

bool is_marked(const json& object) { return object["metadata"].contains("deletionTimestamp"); }

// Of what a definition defines.
std::string collection_of(const json& definition) {
  const json& spec = definition["spec"];
  return spec["group"].get<std::string>() + "/" + spec["names"]["plural"].get<std::string>();
}

// Whether `object` is the owner's; the owner's reference is taken off `object`.
bool take_reference(json& object, const std::string& owner) {
  json& metadata = object["metadata"];
  if (!metadata.contains("ownerReferences")) return false;
  json& references = metadata["ownerReferences"];
  const auto found =
      std::ranges::find_if(references, [&](const json& each) { return each.value("uid", "") == owner; });
  if (found == references.end()) return false;
  references.erase(found);
  if (references.empty()) metadata.erase("ownerReferences");
  return true;
}

}  // namespace

void Deletion::begin(const ObjectKey& key, bool orphans) {
  const StoredObject object = store_.find(key);
  if (end_when_free(key, *object, orphans)) return;
  mark(key);
  for (const ObjectKey& each : contents_of(key)) {
    if (store_.find(each) != nullptr) begin(each, /*orphans=*/false);
  }
}

void Deletion::mark(const ObjectKey& key) {
  json object = *store_.find(key);
  if (is_marked(object)) return;
  json& metadata = object["metadata"];
  metadata["deletionTimestamp"] = utc_text(clock_.now());
  metadata["deletionGracePeriodSeconds"] = 0;
  metadata["generation"] = metadata.value("generation", 0) + 1;
  if (key.collection == kNamespaces) object["status"]["phase"] = "Terminating";
  store_.put(key, std::move(object));
}

bool Deletion::end_when_free(const ObjectKey& key, const json& object, bool orphans) {
  if (has_finalizers(object) || !contents_of(key).empty()) return false;
  const std::string uid = object["metadata"].value("uid", "");
  store_.remove(key);
  if (!whole_cluster_) return true;
  for (const ObjectKey& each : store_.keys()) let_go_of(each, uid, orphans);
  end_containers();
  return true;
}

std::vector<ObjectKey> Deletion::contents_of(const ObjectKey& key) const {
  const bool of_kind = key.collection == kDefinitions;
  if (!whole_cluster_ || (!of_kind && key.collection != kNamespaces)) return {};
  std::vector<ObjectKey> out;
  const std::string collection = of_kind ? collection_of(*store_.find(key)) : "";
  for (const ObjectKey& each : store_.keys()) {
    if (of_kind ? each.collection == collection : each.name_space == key.name) out.push_back(each);
  }
  return out;
}

void Deletion::let_go_of(const ObjectKey& key, const std::string& uid, bool orphans) {
  const StoredObject found = store_.find(key);
  if (found == nullptr) return;
  json object = *found;
  if (!take_reference(object, uid)) return;
  if (orphans || object["metadata"].contains("ownerReferences")) {
    store_.put(key, std::move(object));
  } else {
    begin(key, /*orphans=*/false);
  }
}

// Namespaces and definitions that waited for what is in them.
void Deletion::end_containers() {
  for (const char* collection : {kNamespaces, kDefinitions}) {
    for (const StoredObject& each : store_.list(collection, "")) {
      const ObjectKey key{.collection = collection, .name_space = "", .name = (*each)["metadata"]["name"]};
      if (is_marked(*each) && store_.find(key) != nullptr) end_when_free(key, *each);
    }
  }
}

}  // namespace holdfast::test
