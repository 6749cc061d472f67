#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "test/kube_server/asked_call.h"
#include "test/kube_server/faults.h"
#include "test/kube_server/http_server.h"
#include "test/kube_server/object_store.h"
#include "test/kube_server/role_rules.h"
#include "test/kube_server/verbs.h"
#include "test/kube_server/watch_streams.h"

namespace holdfast::test {

/// A Kubernetes API server in memory, for tests: nodes, namespaces, events, leases and whatever
/// a CustomResourceDefinition brings; list (pages, selectors, tables), watch (bookmarks, resume, initial
/// events; a list sends back its Audit-ID), get, create, update, apply, JSON, merge and strategic merge
/// patch, the status subresource, delete and discovery, as kubectl and Helm ask for them. An object with
/// finalizers that is deleted stays until the last of them goes; what cannot be changed is refused
/// (immutable.h). test/kube_server/contract_test.cpp holds it against answers of a real server.
///
/// What goes wrong is asked for by fault(). Belongs to the loop's thread.
class ApiServer {
 public:
  explicit ApiServer(EventLoop& loop, const ListenAt& at = {});
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;
  ~ApiServer();

  [[nodiscard]] const std::string& url() const { return http_.url(); }
  [[nodiscard]] HttpServer& http() { return http_; }
  [[nodiscard]] ObjectStore& store() { return store_; }
  [[nodiscard]] WatchStreams& watches() { return watches_; }

  void fault(Fault fault) { faults_.add(std::move(fault)); }
  void clear_faults() { faults_.clear(); }
  /// Who does not send it is refused: 401 with another, 403 with none. Empty: nobody is.
  void require_token(std::string token) { token_ = std::move(token); }
  /// Who sends this token is `user` (a UserInfo of authentication.k8s.io/v1); an empty one: who sends none.
  void know_user(std::string token, nlohmann::json user);
  /// Who sends this token may do what these rules allow, and else is refused: 403. It counts beside the one
  /// that is required.
  void bind_token(std::string token, BoundRules rules) { bound_tokens_[std::move(token)] = std::move(rules); }
  /// The ValidatingAdmissionPolicies of a manifest that are bound there hold from now on.
  void admit_by(const std::string& manifest) { verbs_.admission().add(manifest); }
  /// From now on what the definitions' schemas bound is refused beyond that, and their defaults are filled
  /// in; by itself only types are looked at.
  void heed_bounds() { verbs_.heed_bounds(); }
  /// From now on an object's namespace must be there, and what Kubernetes' own controllers do when something
  /// is deleted is done at once (deletion.h).
  void be_whole_cluster() { verbs_.be_whole_cluster(); }
  /// History and continue tokens from before are gone: 410 for those who come with them.
  void compact();
  /// Definitions that are created from now on are served only when establish() is called.
  void hold_definitions() { hold_definitions_ = true; }
  void establish();

  /// What somebody else does through another server: makes or changes the object at an API path such as
  /// "/api/v1/nodes/a" (merged into what is there), without leaving a trace in requests().
  StoredObject put(const std::string& path, const nlohmann::json& object);
  void remove(const std::string& path);
  /// null: there is none.
  [[nodiscard]] StoredObject find(const std::string& path);

  /// What a request that is no watch is answered, without HTTP and without faults.
  Reply reply_to(const ServerRequest& request);

  /// "patch nodes/a/status", in the order of their coming.
  [[nodiscard]] const std::vector<std::string>& requests() const { return requests_; }
  [[nodiscard]] const ServerRequest& last_request() const { return last_request_; }
  /// What an authorizer would have been asked for them: one each, and one more of an apply that makes its
  /// object.
  [[nodiscard]] const std::vector<AskedCall>& asked() const { return asked_; }
  /// Those of the program whose User-Agent is this, whatever its version.
  [[nodiscard]] std::vector<AskedCall> asked_by(const std::string& program) const;
  void forget_requests();

 private:
  void serve(const ServerRequest& sent, Responder responder);
  void note(const ServerRequest& request, const std::optional<ApiCall>& call);
  [[nodiscard]] std::optional<ApiCall> call_of(const ServerRequest& request) const;
  [[nodiscard]] std::vector<AskedCall> asked_in(const ServerRequest& request,
                                                const std::optional<ApiCall>& call) const;
  [[nodiscard]] nlohmann::json user_of(const ServerRequest& request) const;
  [[nodiscard]] std::optional<Reply> refusal_of(const ServerRequest& request, const ApiCall& call) const;
  [[nodiscard]] Reply other_page(const ServerRequest& request) const;
  void answer(const ApiCall& call, Responder responder, const std::optional<Fault>& fault);
  void answer_later(const ApiCall& call, const Responder& responder, std::chrono::milliseconds delay);
  static void send(const ServerRequest& request, const Reply& reply, Responder responder,
                   const std::optional<Fault>& fault);
  void took_change(const StoreChange& change);
  [[nodiscard]] ApiCall admin_call(const std::string& method, const std::string& path) const;

  EventLoop& loop_;
  ObjectStore store_;
  Verbs verbs_;
  WatchStreams watches_;
  Faults faults_;
  std::vector<ServedKind> kinds_;
  std::vector<ServedKind> held_kinds_;
  bool hold_definitions_ = false;
  std::string token_;
  std::map<std::string, nlohmann::json> users_;  // by token
  std::map<std::string, BoundRules> bound_tokens_;
  std::vector<std::string> requests_;
  std::vector<AskedCall> asked_;
  ServerRequest last_request_;
  std::vector<EventLoop::Timer> delayed_;
  HttpServer http_;
};

}  // namespace holdfast::test
