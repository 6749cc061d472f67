#include "common/cloud/sim/front.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/sha.h"

namespace holdfast::cloud::sim {
namespace {

using nlohmann::json;

constexpr StateKind kKind{.name = "simulated-cloud", .version = 1};
constexpr std::size_t kMostStateBytes = std::size_t{64} << 20;
constexpr std::string_view kOwn = "/sim/";
constexpr int kBadRequest = 400;
constexpr int kNotFoundStatus = 404;
constexpr int kServerError = 500;
constexpr int kOk = 200;
constexpr std::chrono::hours kHanging{1};
constexpr mode_t kFolderMode = 0700;

json empty_document() { return {{"state", json::object()}, {"tokens", json::array()}}; }

Failure internal_error() { return {kServerError, "InternalError", "The request processing has failed."}; }

Failure failure_of(const Fault& fault, Vendor vendor) {
  if (fault.how == Fault::How::kThrottle) {
    return {kBadRequest, vendor == Vendor::kAlibaba ? "Throttling.User" : "RequestLimitExceeded",
            "There are too many requests."};
  }
  if (fault.how == Fault::How::kRefuse) return {kBadRequest, fault.code, "refused as told"};
  return internal_error();
}

// Parameters in the query, or in a form.
Result<json> alibaba_parameters(const ServerRequest& request) {
  Parameters all = request.query;
  const auto type = request.headers.find("content-type");
  if (type != request.headers.end() && type->second.starts_with("application/x-www-form-urlencoded")) {
    HOLDFAST_TRY(const Parameters form, parse_query(request.body));
    all.insert(form.begin(), form.end());
  }
  json out = json::object();
  for (const auto& [name, value] : all) out[name] = value;
  return out;
}

Result<json> parameters_of(const ServerRequest& request, Vendor vendor) {
  if (vendor == Vendor::kAlibaba) return alibaba_parameters(request);
  HOLDFAST_TRY(json body, parse_json(request.body));
  if (!body.is_object()) return fail(Code::kInvalidArgument, "the body is no object");
  return body;
}

std::string action_of(const ServerRequest& request, Vendor vendor) {
  const auto found = request.headers.find(vendor == Vendor::kAlibaba ? "x-acs-action" : "x-tc-action");
  return found == request.headers.end() ? "" : found->second;
}

std::string token_of(const SimCall& call) {
  const auto found = call.parameters.find("ClientToken");
  return found == call.parameters.end() || !found->is_string() ? "" : found->get<std::string>();
}

std::string hash_of(const SimCall& call) { return sha256_hex(call.action + dump_json(call.parameters)); }

// Of a name without a folder, the working one.
std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

Result<Fd> take_state(Files& files, const std::filesystem::path& path) {
  constexpr std::chrono::milliseconds kLockPatience{100};
  HOLDFAST_CHECK(files.make_folders(folder_of(path), kFolderMode));
  Result<Fd> lock = files.lock(path.string() + ".lock", kLockPatience);
  if (lock || lock.error().code != Code::kUnavailable) return lock;
  return fail(Code::kUnavailable,
              "another simulator keeps " + path.string() + ": end it, or give one of them another --state");
}

// A start that found it damaged has moved it aside; an empty one in its place would make all that it tells of
// unknown.
Status check_not_damaged_before(Files& files, const std::filesystem::path& path) {
  const std::string damaged = path.filename().string() + ".damaged-";
  HOLDFAST_TRY(const std::vector<std::string> names, files.list(folder_of(path)));
  for (const std::string& name : names) {
    if (!name.starts_with(damaged)) continue;
    return fail(Code::kDataLoss,
                path.string() + " is not there, and was damaged before: put a whole one in its " +
                    "place, or, to begin without any of it, remove " + (folder_of(path) / name).string());
  }
  return {};
}

ServerReply ill(const std::string& why) {
  return {.status = kBadRequest, .body = dump_json({{"error", why}})};
}

}  // namespace

Status SimService::begin(json& /*state*/) { return {}; }

void SimService::kept(json& /*state*/) {}

SimAnswer SimService::tell(std::string_view what, const json& /*body*/, json& /*state*/) {
  return tl::unexpected(Failure{kNotFoundStatus, "", "nothing is called " + std::string(what)});
}

Front::Front(Files& files, std::filesystem::path path, SimService& service, std::vector<Credentials> accounts,
             Clock& clock)
    : files_(files),
      path_(std::move(path)),
      service_(service),
      verifier_(std::move(accounts), clock),
      clock_(clock),
      document_(std::make_unique<json>(empty_document())) {}
Front::~Front() = default;

Result<std::unique_ptr<Front>> Front::open(Files& files, const std::filesystem::path& path,
                                           SimService& service, std::vector<Credentials> accounts,
                                           Clock& clock) {
  std::unique_ptr<Front> front(new Front(files, path, service, std::move(accounts), clock));
  HOLDFAST_TRY(front->lock_, take_state(files, path));
  HOLDFAST_TRY(const StateFile state, read_state(files, path, kKind, kMostStateBytes));
  if (!state.note.empty()) return fail(Code::kDataLoss, state.note);
  if (state.content) {
    HOLDFAST_TRY(*front->document_,
                 parse_json(*state.content, {.max_bytes = kMostStateBytes, .max_depth = 32}));
  } else {
    HOLDFAST_CHECK(check_not_damaged_before(files, path));
  }
  HOLDFAST_CHECK(service.begin((*front->document_)["state"]));
  HOLDFAST_CHECK(front->save());
  return front;
}

const json& Front::state() const { return (*document_)["state"]; }

Status Front::save() {
  HOLDFAST_CHECK(write_state(files_, path_, kKind, dump_json(*document_)));
  service_.kept((*document_)["state"]);
  return {};
}

ServerReply Front::handle(const ServerRequest& request) {
  if (request.path.starts_with(kOwn)) return handle_own(request);
  const std::optional<Vendor> vendor = Verifier::vendor_of(request);
  if (!vendor) return ill("the request has no signature");
  if (std::optional<Failure> wrong = verifier_.check(request, *vendor)) {
    return answer(*vendor, tl::unexpected(*std::move(wrong)));
  }
  const Result<json> parameters = parameters_of(request, *vendor);
  if (!parameters) return ill(parameters.error().message);
  const SimCall call{.vendor = *vendor, .action = action_of(request, *vendor), .parameters = *parameters};
  ++calls_[call.action];
  const std::optional<Fault> fault = faults_.hit(call.action);
  const bool before = fault && fault->when == Fault::When::kBefore;
  ServerReply reply = before ? ServerReply{} : answer(*vendor, effect(call));
  reply.delay = faults_.latency;
  if (!fault) return reply;
  if (fault->how == Fault::How::kDrop) reply.drop = true;
  if (fault->how == Fault::How::kHang) reply.delay = kHanging;
  if (fault->how >= Fault::How::kError) {
    reply = answer(*vendor, tl::unexpected(failure_of(*fault, *vendor)));
    if (fault->how == Fault::How::kThrottle) reply.retry_after = "1";
  }
  return reply;
}

SimAnswer Front::effect(const SimCall& call) {
  if (!service_.changes(call)) return service_.serve(call, (*document_)["state"]);
  const std::string token = token_of(call);
  if (!token.empty()) {
    const std::string of = hash_of(call);
    for (const json& known : (*document_)["tokens"]) {
      if (known["token"] != token) continue;
      if (known["of"] == of) return known["answer"];
      return tl::unexpected(
          Failure{kBadRequest, "IdempotentParameterMismatch",
                  "The request uses the same client token as a previous, but not identical one."});
    }
  }
  return first_effect(call, token);
}

// What cannot be kept may have happened or not, as far as the caller can tell; the next that is kept keeps it
// too.
SimAnswer Front::first_effect(const SimCall& call, const std::string& token) {
  SimAnswer done = service_.serve(call, (*document_)["state"]);
  if (!done) return done;
  if (!token.empty()) {
    json& tokens = (*document_)["tokens"];
    if (tokens.size() >= kTokensKept) tokens.erase(tokens.begin());
    tokens.push_back({{"token", token}, {"of", hash_of(call)}, {"answer", *done}});
  }
  if (!save()) return tl::unexpected(internal_error());
  return done;
}

ServerReply Front::answer(Vendor vendor, const SimAnswer& answer) {
  const std::string id = "sim-" + std::to_string(++requests_);
  const bool alibaba = vendor == Vendor::kAlibaba;
  json body = answer ? *answer : json::object();
  body["RequestId"] = id;
  ServerReply reply;
  if (!answer && alibaba) {
    reply.status = answer.error().status;
    body["Code"] = answer.error().code;
    body["Message"] = answer.error().message;
  }
  if (!answer && !alibaba) {
    body["Error"] = {{"Code", answer.error().code}, {"Message", answer.error().message}};
  }
  reply.body = dump_json(alibaba ? body : json{{"Response", body}});
  return reply;
}

ServerReply Front::told(const std::string& what, const json& body) {
  const SimAnswer done = service_.tell(what, body, (*document_)["state"]);
  if (!done) return {.status = done.error().status, .body = dump_json({{"error", done.error().message}})};
  if (const Status kept = save(); !kept) return ill(kept.error().message);
  return {.status = kOk, .body = dump_json(*done)};
}

ServerReply Front::handle_own(const ServerRequest& request) {
  if (request.path == "/sim/calls") return {.status = kOk, .body = dump_json(json(calls_))};
  if (request.path == "/sim/state") return {.status = kOk, .body = dump_json(state())};
  const Result<json> body = parse_json(request.body);
  if (!body) return ill(body.error().message);
  if (request.path == "/sim/latency") {
    const JsonField field(&*body, "");
    const Result<JsonObject> object = field.object();
    const Result<std::int64_t> time =
        object ? (*object)["milliseconds"].integer(0, 3'600'000) : Result<std::int64_t>(0);
    if (!object || !time) return ill("milliseconds: is not a number");
    faults_.latency = std::chrono::milliseconds(*time);
    return {.status = kOk, .body = "{}"};
  }
  if (request.path != "/sim/faults") return told(request.path.substr(kOwn.size()), *body);
  Result<std::vector<Fault>> more = parse_faults(*body);
  if (!more) return ill(more.error().message);
  if (more->empty()) faults_.clear();
  for (Fault& fault : *more) faults_.add(std::move(fault));
  return {.status = kOk, .body = "{}"};
}

}  // namespace holdfast::cloud::sim
