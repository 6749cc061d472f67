#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace holdfast::test {

/// An object's state; shared by the store, its history and lists that are on their way page by page.
using StoredObject = std::shared_ptr<const nlohmann::json>;

struct ObjectKey {
  std::string collection;  ///< "net.holdfast.dev/nodenetworkconfigurations"; of the core group "/nodes"
  std::string name_space;
  std::string name;

  auto operator<=>(const ObjectKey&) const = default;
};

/// One step of the store. No `before`: added. No `after`: deleted.
struct StoreChange {
  std::uint64_t version = 0;
  ObjectKey key;
  StoredObject before{};
  StoredObject after{};
};

/// Objects by collection, each change at a version of its own, and what changed since the last compaction, as
/// etcd and the API server's watch cache keep them.
class ObjectStore {
 public:
  ObjectStore();
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;
  ~ObjectStore();

  [[nodiscard]] std::uint64_t version() const { return version_; }
  /// Nothing older can be watched from.
  [[nodiscard]] std::uint64_t oldest() const { return oldest_; }
  [[nodiscard]] StoredObject find(const ObjectKey& key) const;
  /// The collection's objects in the order of their keys; of one namespace, when it is not empty.
  [[nodiscard]] std::vector<StoredObject> list(const std::string& collection,
                                               const std::string& name_space) const;
  /// Of all objects.
  [[nodiscard]] std::vector<ObjectKey> keys() const;
  /// What changed after `version`.
  [[nodiscard]] const std::deque<StoreChange>& history() const { return history_; }

  /// Keeps `object` with the next version as its metadata.resourceVersion.
  StoredObject put(const ObjectKey& key, nlohmann::json object);
  /// The object must be there.
  StoredObject remove(const ObjectKey& key);
  void remove_collection(const std::string& collection);
  /// Forgets the history.
  void compact();
  /// The store is put back to an older copy: versions go on from `version`, which is lower than now.
  void set_back_to(std::uint64_t version);
  /// Versions that other collections used.
  void skip_versions(std::uint64_t count) { version_ += count; }

  std::function<void(const StoreChange&)> on_change = [](const StoreChange&) {};

 private:
  void tell(StoreChange change);

  std::uint64_t version_ = 200;  // a fresh server has made its own objects before
  std::uint64_t oldest_ = 200;
  std::map<ObjectKey, StoredObject> objects_;
  std::deque<StoreChange> history_;
};

}  // namespace holdfast::test
