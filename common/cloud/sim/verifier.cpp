#include "common/cloud/sim/verifier.h"

#include <algorithm>
#include <charconv>

#include "common/base/clock.h"
#include "common/base/sha.h"
#include "common/base/text.h"

namespace holdfast::cloud::sim {
namespace {

constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kBadRequest = 400;

std::string header(const ServerRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

// "<key>=" up to a ',' of Authorization.
std::string_view part(std::string_view authorization, std::string_view key) {
  const std::size_t at = authorization.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = authorization.substr(at + key.size());
  return trim(take_until(rest, ','));
}

// The request as the names in SignedHeaders say that it was signed.
SignedRequest as_signed(const ServerRequest& request, std::string_view names) {
  SignedRequest out{.method = request.method, .path = request.path, .query = canonical_query(request.query)};
  while (!names.empty()) {
    const std::string name(take_until(names, ';'));
    out.headers[name] = header(request, name);
  }
  out.body_sha256 = sha256_hex(request.body);
  return out;
}

bool has_all(const SignedRequest& request, std::initializer_list<const char*> names) {
  return std::ranges::all_of(names, [&](const char* name) {
    const auto found = request.headers.find(name);
    return found != request.headers.end() && !found->second.empty();
  });
}

Failure wrong_signature(bool alibaba) {
  if (alibaba)
    return {kBadRequest, "SignatureDoesNotMatch", "The request signature does not conform to the rules."};
  return {kBadRequest, "AuthFailure.SignatureFailure", "The provided credentials could not be validated."};
}

}  // namespace

std::optional<Vendor> Verifier::vendor_of(const ServerRequest& request) {
  const std::string authorization = header(request, "authorization");
  if (authorization.starts_with("ACS3-HMAC-SHA256 ")) return Vendor::kAlibaba;
  if (authorization.starts_with("TC3-HMAC-SHA256 ")) return Vendor::kTencent;
  return std::nullopt;
}

std::optional<Failure> Verifier::check(const ServerRequest& request, Vendor vendor) {
  return vendor == Vendor::kAlibaba ? check_acs3(request) : check_tc3(request);
}

const Credentials* Verifier::account(std::string_view id) const {
  const auto found = std::ranges::find_if(accounts_, [id](const Credentials& each) { return each.id == id; });
  return found == accounts_.end() ? nullptr : &*found;
}

bool Verifier::recent(std::chrono::sys_seconds time, std::chrono::seconds most) const {
  const std::chrono::seconds apart = clock_.now() - time;
  return apart <= most && apart >= -most;
}

bool Verifier::is_new(const std::string& nonce) {
  const std::chrono::sys_seconds now = clock_.now();
  while (!nonces_by_age_.empty() && now - nonces_by_age_.front().first > 2 * kMostSkew) {
    nonces_.erase(nonces_by_age_.front().second);
    nonces_by_age_.pop_front();
  }
  if (!nonces_.insert(nonce).second) return false;
  nonces_by_age_.emplace_back(now, nonce);
  return true;
}

std::optional<Failure> Verifier::check_acs3(const ServerRequest& request) {
  const std::string authorization = header(request, "authorization");
  const std::string_view id = part(authorization, "Credential=");
  const Credentials* const known = account(id);
  if (known == nullptr)
    return Failure{kNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found."};
  const SignedRequest as_told = as_signed(request, part(authorization, "SignedHeaders="));
  const bool whole = has_all(as_told, {"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date",
                                       "x-acs-signature-nonce", "x-acs-version"});
  if (!whole || header(request, "x-acs-content-sha256") != as_told.body_sha256 ||
      acs3_authorization(as_told, id, known->secret) != authorization) {
    return wrong_signature(true);
  }
  if (header(request, "x-acs-security-token") != known->token ||
      (known->ends && *known->ends <= clock_.now())) {
    return Failure{kForbidden, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."};
  }
  const std::optional<std::chrono::sys_seconds> time = parse_utc(header(request, "x-acs-date"));
  if (!time || !recent(*time, kMostSkew)) {
    return Failure{kBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."};
  }
  if (!is_new(header(request, "x-acs-signature-nonce"))) {
    return Failure{kBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already."};
  }
  return std::nullopt;
}

std::optional<Failure> Verifier::check_tc3(const ServerRequest& request) {
  const std::string authorization = header(request, "authorization");
  std::string_view scope = part(authorization, "Credential=");
  const std::string_view id = take_until(scope, '/');
  const Credentials* const known = account(id);
  if (known == nullptr) {
    return Failure{kBadRequest, "AuthFailure.SecretIdNotFound", "The SecretId is not found."};
  }
  const std::string text = header(request, "x-tc-timestamp");
  std::int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  if (!recent(time, kMostSkewTencent)) {
    return Failure{kBadRequest, "AuthFailure.SignatureExpire", "The signature has expired."};
  }
  static_cast<void>(take_until(scope, '/'));  // the date, which the time stamp decides
  const std::string_view service = take_until(scope, '/');
  SignedRequest as_told = as_signed(request, part(authorization, "SignedHeaders="));
  if (request.method == "POST") as_told.query.clear();
  if (!has_all(as_told, {"content-type", "host"}) ||
      tc3_authorization(as_told, service, time, id, known->secret) != authorization) {
    return wrong_signature(false);
  }
  if (header(request, "x-tc-token") != known->token || (known->ends && *known->ends <= clock_.now())) {
    return Failure{kBadRequest, "AuthFailure.TokenFailure", "The token is not valid."};
  }
  return std::nullopt;
}

}  // namespace holdfast::cloud::sim
