#include "common/cloud/signature.h"

#include "common/base/clock.h"
#include "common/base/sha.h"

namespace holdfast::cloud {
namespace {

constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
constexpr std::size_t kDateSize = 10;  // "2019-02-25"

std::string canonical_text(const SignedRequest& request) {
  std::string text = request.method + "\n" + request.path + "\n" + request.query + "\n";
  for (const auto& [name, value] : request.headers) {
    text += name;
    text += ':';
    text += value;
    text += '\n';
  }
  return text + "\n" + signed_headers(request) + "\n" + request.body_sha256;
}

}  // namespace

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char each : text) {
    if (kUnreserved.find(each) != std::string_view::npos) {
      out += each;
      continue;
    }
    const auto byte = static_cast<unsigned char>(each);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
  }
  return out;
}

std::string canonical_query(const Parameters& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += percent_encode(name);
    out += '=';
    out += percent_encode(value);
  }
  return out;
}

std::string signed_headers(const SignedRequest& request) {
  std::string out;
  for (const auto& [name, value] : request.headers) {
    if (!out.empty()) out += ';';
    out += name;
  }
  return out;
}

std::string acs3_authorization(const SignedRequest& request, std::string_view key_id,
                               std::string_view secret) {
  const std::string text = "ACS3-HMAC-SHA256\n" + sha256_hex(canonical_text(request));
  std::string out = "ACS3-HMAC-SHA256 Credential=";
  out += key_id;
  return out + ",SignedHeaders=" + signed_headers(request) +
         ",Signature=" + to_hex(hmac_sha256(secret, text));
}

std::string tc3_authorization(const SignedRequest& request, std::string_view service,
                              std::chrono::sys_seconds time, std::string_view key_id,
                              std::string_view secret) {
  const std::string date = utc_text(time).substr(0, kDateSize);
  const std::string scope = date + "/" + std::string(service) + "/tc3_request";
  const std::string text = "TC3-HMAC-SHA256\n" + std::to_string(time.time_since_epoch().count()) + "\n" +
                           scope + "\n" + sha256_hex(canonical_text(request));
  const std::string of_date = hmac_sha256("TC3" + std::string(secret), date);
  const std::string key = hmac_sha256(hmac_sha256(of_date, service), "tc3_request");
  std::string out = "TC3-HMAC-SHA256 Credential=";
  out += key_id;
  return out + "/" + scope + ", SignedHeaders=" + signed_headers(request) +
         ", Signature=" + to_hex(hmac_sha256(key, text));
}

}  // namespace holdfast::cloud
