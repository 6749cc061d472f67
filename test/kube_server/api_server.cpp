#include "test/kube_server/api_server.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <utility>

#include "test/kube_server/answers.h"
#include "test/kube_server/discovery.h"
#include "test/kube_server/protobuf_body.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr const char* kAuditId = "00000000-0000-4000-8000-000000000000";  // of a request without one
constexpr const char* kDefinitions = "apiextensions.k8s.io/customresourcedefinitions";

std::string verb_of(const ServerRequest& request, const ResourcePath& path) {
  if (request.method == "GET") {
    const auto watch = request.query.find("watch");
    const bool watches = watch != request.query.end() && (watch->second == "true" || watch->second == "1");
    return watches ? "watch" : path.name.empty() ? "list" : "get";
  }
  return request.method == "POST"    ? "create"
         : request.method == "PUT"   ? "update"
         : request.method == "PATCH" ? "patch"
                                     : "delete";
}

std::string note_of(const ApiCall& call) {
  const ResourcePath& path = call.path;
  return call.verb + " " + path.plural + (path.name.empty() ? "" : "/" + path.name) +
         (path.subresource.empty() ? "" : "/" + path.subresource);
}

/// Empty: none was sent.
std::string token_of(const ServerRequest& request) {
  constexpr std::string_view kBearer = "Bearer ";
  const auto given = request.headers.find("authorization");
  const bool has_token = given != request.headers.end() && given->second.starts_with(kBearer);
  return has_token ? given->second.substr(kBearer.size()) : "";
}

Reply forbidden(const ApiCall& call) {
  const std::string message = call.kind.qualified() + " is forbidden: User \"" +
                              call.user["username"].get<std::string>() + "\" cannot " + call.verb +
                              " resource \"" + call.kind.plural + "\" in API group \"" + call.kind.group +
                              "\" at the cluster scope";
  json body = failure(kForbidden, "Forbidden", message);
  body["details"] = {{"group", call.kind.group}, {"kind", call.kind.plural}};
  return reply_with(kForbidden, body);
}

// Its body as JSON, where it is protobuf that is understood.
ServerRequest with_json(ServerRequest request) {
  if (request.headers.contains("content-type") && request.headers["content-type"] == kProtobufType) {
    if (const auto object = object_of_protobuf(request.body)) {
      request.body = object->dump();
      request.headers["content-type"] = "application/json";
    }
  }
  return request;
}

void establish_definition(json& definition) {
  const json& names = definition["spec"]["names"];
  json& status = definition["status"];
  status["acceptedNames"] = names;
  status["conditions"] = json::array();
  for (const auto& [type, reason, message] :
       {std::tuple("NamesAccepted", "NoConflicts", "no conflicts found"),
        std::tuple("Established", "InitialNamesAccepted", "the initial names have been accepted")}) {
    status["conditions"].push_back({{"type", type},
                                    {"status", "True"},
                                    {"lastTransitionTime", definition["metadata"]["creationTimestamp"]},
                                    {"reason", reason},
                                    {"message", message}});
  }
}

json version_document() {
  return {{"major", "1"},
          {"minor", "36"},
          {"emulationMajor", "1"},
          {"emulationMinor", "36"},
          {"minCompatibilityMajor", "1"},
          {"minCompatibilityMinor", "35"},
          {"gitVersion", "v1.36.2"},
          {"gitCommit", "98b35193b2ac7a23a673325f5e9b830ecd5ba406"},
          {"gitTreeState", "clean"},
          {"buildDate", "2026-08-21T00:00:00Z"},
          {"goVersion", "go1.26.11"},
          {"compiler", "gc"},
          {"platform", "linux/amd64"}};
}

json namespace_named(const std::string& name) {
  return {{"apiVersion", "v1"},
          {"kind", "Namespace"},
          {"metadata", {{"labels", {{"kubernetes.io/metadata.name", name}}}}}};
}

}  // namespace

ApiServer::ApiServer(EventLoop& loop, const ListenAt& at)
    : loop_(loop),
      verbs_(store_, loop.clock()),
      watches_(loop, store_),
      kinds_(built_in_kinds()),
      http_(
          loop,
          [this](const ServerRequest& request, Responder responder) { serve(request, std::move(responder)); },
          at) {
  store_.on_change = [this](const StoreChange& change) { took_change(change); };
  for (const char* name : {"kube-system", "default"}) {
    put(std::string("/api/v1/namespaces/") + name, namespace_named(name));
  }
}

ApiServer::~ApiServer() = default;

void ApiServer::took_change(const StoreChange& change) {
  watches_.tell(change);
  if (change.key.collection != kDefinitions) {
    return;
  }
  if (change.before == nullptr) {
    for (ServedKind& kind : kinds_of_definition(*change.after)) {
      held_kinds_.push_back(std::move(kind));
    }
    if (!hold_definitions_) {
      delayed_.push_back(loop_.after({}, [this] { establish(); }));
    }
  } else if (change.after == nullptr) {
    for (const ServedKind& kind : kinds_of_definition(*change.before)) {
      store_.remove_collection(kind.collection());
      std::erase_if(kinds_, [&](const ServedKind& other) { return other.collection() == kind.collection(); });
    }
  }
}

void ApiServer::establish() {
  for (ServedKind& kind : std::exchange(held_kinds_, {})) {
    const ObjectKey key{.collection = kDefinitions, .name_space = "", .name = kind.qualified()};
    kinds_.push_back(std::move(kind));
    if (const StoredObject object = store_.find(key)) {
      json definition = *object;
      establish_definition(definition);
      record_update(*object, definition,
                    {.manager = "kube-apiserver",
                     .operation = "Update",
                     .subresource = "status",
                     .api_version = "apiextensions.k8s.io/v1",
                     .time = utc_text(loop_.clock().now())});
      store_.put(key, std::move(definition));
    }
  }
}

void ApiServer::compact() {
  store_.compact();
  verbs_.forget_pages();
}

std::optional<ApiCall> ApiServer::call_of(const ServerRequest& request) const {
  const auto path = parse_resource_path(request.path);
  if (!path || path->plural.empty()) {
    return std::nullopt;
  }
  const auto kind = std::ranges::find_if(kinds_, [&](const ServedKind& each) {
    return each.group == path->group && each.version == path->version && each.plural == path->plural;
  });
  if (kind == kinds_.end()) {
    return std::nullopt;
  }
  return ApiCall{.verb = verb_of(request, *path),
                 .kind = *kind,
                 .path = *path,
                 .request = request,
                 .user = user_of(request)};
}

void ApiServer::know_user(std::string token, json user) { users_[std::move(token)] = std::move(user); }

json ApiServer::user_of(const ServerRequest& request) const {
  const auto found = users_.find(token_of(request));
  return found == users_.end() ? json{{"username", "system:anonymous"}} : found->second;
}

Reply ApiServer::other_page(const ServerRequest& request) const {
  if (request.path == "/version") {
    return reply_with(200, version_document());
  }
  if (request.path == "/readyz" || request.path == "/healthz") {
    return {.status = 200, .body = "ok", .content_type = "text/plain; charset=utf-8"};
  }
  const auto page = discovery_page(request.path, kinds_);
  return page ? reply_with(200, *page) : no_such_page();
}

std::optional<Reply> ApiServer::refusal_of(const ServerRequest& request, const ApiCall& call) const {
  if (const auto bound = bound_tokens_.find(token_of(request)); bound != bound_tokens_.end()) {
    const bool allowed = refused(bound->second, asked_in(request, call)).empty();
    return allowed ? std::nullopt : std::optional(forbidden(call));
  }
  const auto given = request.headers.find("authorization");
  if (token_.empty() || (given != request.headers.end() && given->second == "Bearer " + token_)) {
    return std::nullopt;
  }
  if (given == request.headers.end()) {
    return forbidden(call);
  }
  return fail_with(kUnauthorized, "Unauthorized", "Unauthorized");
}

void ApiServer::note(const ServerRequest& request, const std::optional<ApiCall>& call) {
  requests_.push_back(call ? note_of(*call) : "get " + request.path);
  std::ranges::move(asked_in(request, call), std::back_inserter(asked_));
}

std::vector<AskedCall> ApiServer::asked_in(const ServerRequest& request,
                                           const std::optional<ApiCall>& call) const {
  std::vector<AskedCall> out{test::asked_by(request)};
  if (call && is_apply(request, out.front()) && store_.find(call->key()) == nullptr) {
    out.push_back(out.front());
    out.back().verb = "create";
  }
  return out;
}

std::vector<AskedCall> ApiServer::asked_by(const std::string& program) const {
  std::vector<AskedCall> out;
  std::ranges::copy_if(asked_, std::back_inserter(out),
                       [&](const AskedCall& each) { return each.program == program; });
  return out;
}

void ApiServer::forget_requests() {
  requests_.clear();
  asked_.clear();
}

void ApiServer::serve(const ServerRequest& sent, Responder responder) {
  const ServerRequest request = with_json(sent);
  last_request_ = request;
  const auto call = call_of(request);
  if (!call) {
    note(request, call);
    const auto fault = faults_.take("get", request.path);
    send(request,
         fault && fault->kind == FaultKind::kStatus ? fail_with(fault->status, "InternalError", "asked for")
                                                    : other_page(request),
         std::move(responder), fault);
    return;
  }
  note(request, call);
  if (const auto refused = refusal_of(request, *call)) {
    send(request, *refused, std::move(responder), std::nullopt);
    return;
  }
  answer(*call, std::move(responder), faults_.take(call->verb, call->kind.plural));
}

void ApiServer::answer(const ApiCall& call, Responder responder, const std::optional<Fault>& fault) {
  const auto kind = fault ? std::optional(fault->kind) : std::nullopt;
  if (kind == FaultKind::kDrop) {
    responder.drop();
  } else if (kind == FaultKind::kDropAfter) {
    verbs_.serve(call);
    responder.drop();
  } else if (kind == FaultKind::kDelay) {
    answer_later(call, responder, fault->delay);
  } else if (kind == FaultKind::kStatus) {
    Reply reply = fail_with(fault->status, fault->status == 429 ? "TooManyRequests" : "InternalError",
                            "asked for by the test");
    reply.retry_after = fault->retry_after;
    send(call.request, reply, std::move(responder), std::nullopt);
  } else if (kind == FaultKind::kStaleMissing) {
    send(ServerRequest{}, no_such_page(), std::move(responder), std::nullopt);
  } else if (kind == FaultKind::kStaleEmpty) {
    const auto version = fault->stale_version == 0 ? store_.version() : fault->stale_version;
    const json metadata{{"continue", ""}, {"resourceVersion", std::to_string(version)}};
    send(ServerRequest{}, reply_with(200, Rendition{}.of_list(call.kind, {}, metadata)), std::move(responder),
         std::nullopt);
  } else if (kind == FaultKind::kSilence) {
    // The client's deadline ends it.
  } else if (call.verb == "watch") {
    watches_.begin(call, std::move(responder), fault);
  } else {
    send(call.request, verbs_.serve(call), std::move(responder), fault);
  }
}

void ApiServer::answer_later(const ApiCall& call, const Responder& responder,
                             std::chrono::milliseconds delay) {
  std::erase_if(delayed_, [](const EventLoop::Timer& timer) { return !timer.pending(); });
  delayed_.push_back(loop_.after(delay, [this, call, responder] { answer(call, responder, std::nullopt); }));
}

// The request's Audit-ID comes back; a cache knows none.
void ApiServer::send(const ServerRequest& request, const Reply& reply, Responder responder,
                     const std::optional<Fault>& fault) {
  const auto audit_id = request.headers.find("audit-id");
  Responder::Headers headers{{"Audit-Id", audit_id == request.headers.end() ? kAuditId : audit_id->second},
                             {"Cache-Control", "no-cache, private"},
                             {"Content-Type", reply.content_type},
                             {"Date", "Sat, 21 Nov 2026 02:54:07 GMT"}};
  if (reply.retry_after) {
    headers.emplace_back("Retry-After", std::to_string(reply.retry_after->count()));
  }
  const std::string half = reply.body.substr(0, reply.body.size() / 2);
  if (fault && fault->kind == FaultKind::kTruncated) {
    responder.whole(reply.status, half, headers);
  } else if (fault && fault->kind == FaultKind::kDropHalfway) {
    responder.begin(reply.status, headers);
    responder.chunk(half);
    responder.drop();
  } else {
    responder.whole(reply.status, reply.body, headers);
  }
}

Reply ApiServer::reply_to(const ServerRequest& request) {
  last_request_ = request;
  const auto call = call_of(request);
  note(request, call);
  return call ? verbs_.serve(*call) : other_page(request);
}

ApiCall ApiServer::admin_call(const std::string& method, const std::string& path) const {
  ServerRequest request;
  request.method = method;
  request.path = path;
  request.headers = {{"user-agent", "kube-apiserver"}, {"content-type", "application/merge-patch+json"}};
  auto call = call_of(request);
  if (!call) {
    std::terminate();  // the test is wrong
  }
  call->user = {{"username", "system:admin"}};
  return *std::move(call);
}

StoredObject ApiServer::put(const std::string& path, const json& object) {
  const bool there = find(path) != nullptr;
  ApiCall call = admin_call(there ? "PATCH" : "POST", path);
  json body = object;
  body["metadata"]["name"] = call.path.name;
  call.request.body = body.dump();
  verbs_.serve(call);
  if (object.contains("status") && call.kind.has_status) {
    ApiCall status = admin_call("PATCH", path + "/status");
    status.request.body = object.dump();
    verbs_.serve(status);
  }
  return find(path);
}

void ApiServer::remove(const std::string& path) { verbs_.serve(admin_call("DELETE", path)); }

StoredObject ApiServer::find(const std::string& path) { return store_.find(admin_call("GET", path).key()); }

}  // namespace holdfast::test
