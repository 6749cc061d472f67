#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "test/kube_server/admission.h"
#include "test/kube_server/answers.h"
#include "test/kube_server/deletion.h"
#include "test/kube_server/http_server.h"
#include "test/kube_server/kinds.h"
#include "test/kube_server/managed_fields.h"
#include "test/kube_server/object_store.h"

namespace holdfast::test {

/// One request, understood.
struct ApiCall {
  std::string verb;  ///< as Kubernetes calls it: get, list, watch, create, update, patch, delete
  ServedKind kind;
  ResourcePath path;
  ServerRequest request;
  nlohmann::json user{};  ///< a UserInfo of authentication.k8s.io/v1

  [[nodiscard]] std::string query(const std::string& name) const;
  [[nodiscard]] std::string header(const std::string& name) const;
  [[nodiscard]] ObjectKey key() const {
    return {.collection = kind.collection(), .name_space = path.name_space, .name = path.name};
  }
};

/// The verbs but watch, on an ObjectStore, with the status codes and words of a real API server.
class Verbs {
 public:
  Verbs(ObjectStore& store, Clock& clock) : store_(store), clock_(clock), deletion_(store, clock) {}

  Reply serve(const ApiCall& call);
  /// Continue tokens given out so far have expired.
  void forget_pages() { pages_.clear(); }
  [[nodiscard]] Admission& admission() { return admission_; }
  /// From now on.
  void heed_bounds() { heeds_bounds_ = true; }
  /// Likewise.
  void be_whole_cluster();

 private:
  Reply get(const ApiCall& call) const;
  Reply list(const ApiCall& call);
  Reply create(const ApiCall& call);
  Reply update(const ApiCall& call);
  Reply patch(const ApiCall& call);
  Reply evict(const ApiCall& call);
  Reply remove(const ApiCall& call);
  [[nodiscard]] std::optional<Reply> no_place_for(const ApiCall& call) const;

  /// What a patch makes of `object`; nothing when `refused` was set.
  void apply_patch(const ApiCall& call, const nlohmann::json& patch, nlohmann::json& object,
                   std::optional<Reply>& refused) const;
  [[nodiscard]] std::optional<Reply> out_of_bounds(const ApiCall& call, const nlohmann::json& before,
                                                   nlohmann::json& object) const;
  Reply keep_new(const ApiCall& call, nlohmann::json object);
  Reply keep_changed(const ApiCall& call, const nlohmann::json& before, nlohmann::json after);
  Reply page_of(const ApiCall& call, std::vector<StoredObject> rest, std::uint64_t version,
                std::size_t limit);
  [[nodiscard]] FieldWriter writer_of(const ApiCall& call, const std::string& operation) const;
  std::string next_uid();
  [[nodiscard]] std::optional<Reply> not_admitted(const ApiCall& call, const nlohmann::json& before,
                                                  const nlohmann::json& after) const;

  ObjectStore& store_;
  Clock& clock_;
  Deletion deletion_;
  bool heeds_bounds_ = false;
  bool whole_cluster_ = false;
  Admission admission_;
  std::uint64_t uids_ = 0;
  std::map<std::string, std::vector<StoredObject>> pages_;  // what is to come, by continue token
};

}  // namespace holdfast::test
