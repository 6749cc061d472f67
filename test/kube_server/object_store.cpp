#include "test/kube_server/object_store.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::test {

using nlohmann::json;

ObjectStore::ObjectStore() = default;
ObjectStore::~ObjectStore() = default;

StoredObject ObjectStore::find(const ObjectKey& key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : found->second;
}

std::vector<StoredObject> ObjectStore::list(const std::string& collection,
                                            const std::string& name_space) const {
  std::vector<StoredObject> out;
  const auto first = objects_.lower_bound({.collection = collection, .name_space = name_space, .name = ""});
  for (auto at = first; at != objects_.end() && at->first.collection == collection; ++at) {
    if (name_space.empty() || at->first.name_space == name_space) {
      out.push_back(at->second);
    }
  }
  return out;
}

std::vector<ObjectKey> ObjectStore::keys() const {
  std::vector<ObjectKey> out;
  for (const auto& [key, object] : objects_) out.push_back(key);
  return out;
}

StoredObject ObjectStore::put(const ObjectKey& key, json object) {
  StoreChange change{.version = ++version_, .key = key, .before = find(key)};
  object["metadata"]["resourceVersion"] = std::to_string(version_);
  change.after = std::make_shared<const json>(std::move(object));
  objects_[key] = change.after;
  tell(change);
  return change.after;
}

StoredObject ObjectStore::remove(const ObjectKey& key) {
  json object = *find(key);
  objects_.erase(key);
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  const auto last = std::make_shared<const json>(std::move(object));
  tell({.version = version_, .key = key, .before = last});
  return last;
}

void ObjectStore::remove_collection(const std::string& collection) {
  std::erase_if(objects_, [&](const auto& entry) { return entry.first.collection == collection; });
}

void ObjectStore::tell(StoreChange change) {
  history_.push_back(std::move(change));
  on_change(history_.back());
}

void ObjectStore::compact() {
  history_.clear();
  oldest_ = version_;
}

void ObjectStore::set_back_to(std::uint64_t version) {
  version_ = version;
  compact();
}

}  // namespace holdfast::test
