#include "common/cloud/api.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/sha.h"
#include "common/base/text.h"

namespace holdfast::cloud {
namespace {

using std::chrono::sys_seconds;

constexpr int kTooManyRequests = 429;
constexpr int kServerErrors = 500;
constexpr std::size_t kShown = 300;
constexpr std::size_t kNonceBytes = 16;
constexpr std::string_view kTencentType = "application/json; charset=utf-8";

std::string fresh_nonce() {
  std::string bytes(kNonceBytes, '\0');
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::terminate();
  return to_hex(bytes);
}

bool begins(std::string_view code, std::string_view with) { return code.starts_with(with); }

bool blames_clock(std::string_view code) {
  return begins(code, "InvalidTimeStamp") || begins(code, "IllegalTimestamp") ||
         begins(code, "AuthFailure.SignatureExpire");
}

// Nothing is said of what the call names.
bool blames_endpoint(std::string_view code) {
  constexpr std::array<std::string_view, 8> kWords{"InvalidRegionId", "UnsupportedRegion", "InvalidApi",
                                                   "InvalidVersion",  "NoSuchVersion",     "InvalidProduct",
                                                   "NoSuchProduct",   "InvalidEndpoint"};
  return std::ranges::any_of(kWords, [code](std::string_view word) { return begins(code, word); });
}

// What a code of either cloud says of what was asked for.
CallEnd end_of(std::string_view code, int status) {
  if (begins(code, "Throttling") || begins(code, "RequestLimitExceeded") || status == kTooManyRequests) {
    return CallEnd::kThrottled;
  }
  // Another request with this nonce has been there: it is this one, sent twice on the way.
  if (code == "SignatureNonceUsed") return CallEnd::kUnknownOutcome;
  if (refusal_of(code) == Refusal::kDenied) return CallEnd::kRefused;
  if (status >= kServerErrors || begins(code, "InternalError") || begins(code, "ServiceUnavailable")) {
    return CallEnd::kUnknownOutcome;
  }
  if (code.ends_with(".NotFound") || begins(code, "ResourceNotFound")) return CallEnd::kNoSuchThing;
  return CallEnd::kRefused;
}

CallError error_of(const std::string& code, const std::string& message, const HttpReply& reply,
                   sys_seconds now) {
  CallError error{.end = end_of(code, reply.status),
                  .code = printable(code, kShown),
                  .message = printable(code, kShown) + ": " + printable(message, kShown),
                  .retry_after = reply.retry_after};
  if (blames_endpoint(code)) error.message += "; what is called is told by the cloud's region and endpoint";
  if (!blames_clock(code)) return error;
  error.message = "the cloud refuses the time of this machine, " + utc_text(now);
  if (reply.date) error.message += "; its own is " + utc_text(*reply.date);
  error.message += ": set the clock (" + error.code + ")";
  return error;
}

tl::unexpected<CallError> not_the_clouds(const HttpReply& reply) {
  return ends(reply.status == kTooManyRequests ? CallEnd::kThrottled : CallEnd::kUnknownOutcome,
              "the answer, status " + std::to_string(reply.status) +
                  ", is not one of the cloud's API: " + printable(reply.body, kShown));
}

std::string text_of(const JsonField& field) { return field.string_or("").value_or(""); }

// Credentials for a call; without them nothing is sent.
Answer<Credentials> credentials_of(CredentialSource& source) {
  Result<Credentials> current = source.current();
  if (current) return *std::move(current);
  return ends(CallEnd::kNotSent, "credentials: " + current.error().message);
}

// What both kinds of call do once they are signed.
template <class Read>
Answer<nlohmann::json> exchange(HttpClient& http, CredentialSource& credentials, const HttpRequest& request,
                                std::chrono::milliseconds deadline, std::string_view action,
                                const Read& read) {
  Answer<HttpReply> reply = http.exchange(request, deadline);
  if (!reply) return tl::unexpected(std::move(reply).error().within(action));
  Answer<nlohmann::json> answer = read(*reply);
  if (answer) return answer;
  if (answer.error().end == CallEnd::kRefused && refusal_of(answer.error().code) == Refusal::kDenied) {
    credentials.doubt();
  }
  return tl::unexpected(std::move(answer).error().within(action));
}

}  // namespace

std::string host_of(const std::string& url) {
  const std::size_t begin = url.find("://");
  const std::string rest = begin == std::string::npos ? url : url.substr(begin + 3);
  return rest.substr(0, rest.find('/'));
}

Answer<nlohmann::json> read_alibaba_reply(const HttpReply& reply, sys_seconds now) {
  Result<nlohmann::json> document = parse_json(reply.body, {.max_bytes = CurlClient::kMostBodyBytes});
  if (!document || !document->is_object()) return not_the_clouds(reply);
  constexpr int kOk = 200;
  if (reply.status == kOk) return *std::move(document);
  const Result<JsonObject> object = JsonObject::of(*document);
  const std::string code = text_of((*object)["Code"]);
  if (code.empty()) return not_the_clouds(reply);
  return tl::unexpected(error_of(code, text_of((*object)["Message"]), reply, now));
}

Answer<nlohmann::json> read_tencent_reply(const HttpReply& reply, sys_seconds now) {
  constexpr int kOk = 200;
  Result<nlohmann::json> document = parse_json(reply.body, {.max_bytes = CurlClient::kMostBodyBytes});
  if (!document || !document->is_object()) return not_the_clouds(reply);
  const auto response = document->find("Response");
  if (response == document->end() || !response->is_object()) return not_the_clouds(reply);
  const auto error = response->find("Error");
  if (error == response->end()) {
    if (reply.status != kOk) return not_the_clouds(reply);
    nlohmann::json whole = std::move(*response);
    return whole;
  }
  const Result<JsonObject> object = JsonObject::of(*error);
  const std::string code = object ? text_of((*object)["Code"]) : "";
  if (code.empty()) return not_the_clouds(reply);
  return tl::unexpected(error_of(code, text_of((*object)["Message"]), reply, now));
}

AlibabaApi::AlibabaApi(HttpClient& http, CredentialSource& credentials, Clock& clock, Endpoint endpoint)
    : http_(http),
      credentials_(credentials),
      clock_(clock),
      endpoint_(std::move(endpoint)),
      host_(host_of(endpoint_.url)) {}

HttpRequest AlibabaApi::sign(const Call& call, const Credentials& credentials) const {
  Parameters parameters = call.parameters;
  if (!call.token.empty()) parameters["ClientToken"] = call.token;
  SignedRequest to_sign;
  to_sign.query = canonical_query(parameters);
  to_sign.body_sha256 = sha256_hex("");
  to_sign.headers = {{"host", host_},
                     {"x-acs-action", call.action},
                     {"x-acs-content-sha256", to_sign.body_sha256},
                     {"x-acs-date", utc_text(clock_.now())},
                     {"x-acs-signature-nonce", fresh_nonce()},
                     {"x-acs-version", endpoint_.version}};
  if (!credentials.token.empty()) to_sign.headers["x-acs-security-token"] = credentials.token;
  HttpRequest request{.method = to_sign.method, .url = endpoint_.url + "/?" + to_sign.query};
  for (const auto& [name, value] : to_sign.headers) {
    if (name != "host") request.headers.emplace_back(name, value);
  }
  request.headers.emplace_back("Authorization",
                               acs3_authorization(to_sign, credentials.id, credentials.secret));
  request.headers.emplace_back("Accept", "application/json");
  return request;
}

Answer<nlohmann::json> AlibabaApi::call(const Call& call) {
  HOLDFAST_TRY(const Credentials credentials, credentials_of(credentials_));
  return exchange(http_, credentials_, sign(call, credentials), call.deadline, call.action,
                  [this](const HttpReply& reply) { return read_alibaba_reply(reply, clock_.now()); });
}

TencentApi::TencentApi(HttpClient& http, CredentialSource& credentials, Clock& clock, Endpoint endpoint)
    : http_(http),
      credentials_(credentials),
      clock_(clock),
      endpoint_(std::move(endpoint)),
      host_(host_of(endpoint_.url)) {}

HttpRequest TencentApi::sign(const Call& call, const Credentials& credentials) const {
  const sys_seconds now = clock_.now();
  SignedRequest to_sign;
  to_sign.body_sha256 = sha256_hex(call.body);
  to_sign.headers = {{"content-type", std::string(kTencentType)}, {"host", host_}};
  const std::string service =
      endpoint_.service.empty() ? host_.substr(0, host_.find('.')) : endpoint_.service;
  HttpRequest request{.method = to_sign.method, .url = endpoint_.url + "/", .body = call.body};
  request.headers = {
      {"Content-Type", std::string(kTencentType)},
      {"X-TC-Action", call.action},
      {"X-TC-Version", endpoint_.version},
      {"X-TC-Timestamp", std::to_string(now.time_since_epoch().count())},
      {"Authorization", tc3_authorization(to_sign, service, now, credentials.id, credentials.secret)}};
  if (!endpoint_.region.empty()) request.headers.emplace_back("X-TC-Region", endpoint_.region);
  if (!credentials.token.empty()) request.headers.emplace_back("X-TC-Token", credentials.token);
  return request;
}

Answer<nlohmann::json> TencentApi::call(const Call& call) {
  HOLDFAST_TRY(const Credentials credentials, credentials_of(credentials_));
  return exchange(http_, credentials_, sign(call, credentials), call.deadline, call.action,
                  [this](const HttpReply& reply) { return read_tencent_reply(reply, clock_.now()); });
}

}  // namespace holdfast::cloud
