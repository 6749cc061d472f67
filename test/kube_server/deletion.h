#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "test/kube_server/object_store.h"

namespace holdfast::test {

/// How objects end: one with finalizers stays, marked, until the last of them goes.
///
/// In a whole cluster also what others do then, at once: the garbage collector deletes whatever was the
/// object's (metadata.ownerReferences) or, when that is to be left as an orphan, takes the reference off; and
/// what is in a namespace, or of a definition's kind, is deleted with it, which stays until the last of that
/// is gone. Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and .../finalizers/
class Deletion {
 public:
  Deletion(ObjectStore& store, Clock& clock) : store_(store), clock_(clock) {}

  void be_whole_cluster() { whole_cluster_ = true; }
  /// Begins with the object at `key`, which must be there. `orphans`: what is its own is left.
  void begin(const ObjectKey& key, bool orphans);
  /// Whether the object at `key`, which has become `object`, need not stay any more; it is gone then.
  bool end_when_free(const ObjectKey& key, const nlohmann::json& object, bool orphans = false);

 private:
  void mark(const ObjectKey& key);
  [[nodiscard]] std::vector<ObjectKey> contents_of(const ObjectKey& key) const;
  void let_go_of(const ObjectKey& key, const std::string& uid, bool orphans);
  void end_containers();

  ObjectStore& store_;
  Clock& clock_;
  bool whole_cluster_ = false;
};

}  // namespace holdfast::test
