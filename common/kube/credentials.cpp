#include "common/kube/credentials.h"

#include <algorithm>
#include <utility>

#include "common/base/linked_file.h"

namespace holdfast::kube {
namespace {

constexpr std::size_t kMaxMaterialBytes = std::size_t{1} << 20;  // a CA bundle may be long

Result<std::string> read_material(Files& files, const Material& material) {
  if (material.file.empty()) {
    return material.bytes;
  }
  return read_linked_file(files, material.file, kMaxMaterialBytes);
}

// Without the line end that a file has, and with nothing that could begin another header.
Result<std::string> clean_token(std::string token, const Material& material) {
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  if (std::ranges::any_of(token, [](char c) { return c <= ' ' || c > '~'; })) {
    const std::string place = material.file.empty() ? "the token" : material.file.string();
    return fail(Code::kInvalidArgument, place + " holds a blank or a control character: not a token");
  }
  return token;
}

}  // namespace

Credentials::Credentials(Config config, Files& files, Clock& clock)
    : config_(std::move(config)), files_(files), clock_(clock) {}

Result<CredentialSet> Credentials::read() {
  CredentialSet set;
  HOLDFAST_TRY(set.ca, read_material(files_, config_.ca));
  HOLDFAST_TRY(set.client_certificate, read_material(files_, config_.client_certificate));
  HOLDFAST_TRY(set.client_key, read_material(files_, config_.client_key));
  HOLDFAST_TRY(std::string token, read_material(files_, config_.token));
  HOLDFAST_TRY(set.token, clean_token(std::move(token), config_.token));
  return set;
}

Result<const CredentialSet*> Credentials::current() {
  const auto now = clock_.since_boot();
  if (looked_ && now - last_look_ < kLookAgain) {
    return &set_;
  }
  auto set = read();
  if (!set && !ever_read_) {
    return tl::unexpected(std::move(set).error().within("credentials for the API server"));
  }
  if (set) {
    set_ = *std::move(set);
    ever_read_ = true;
  }
  looked_ = true;
  last_look_ = now;
  return &set_;
}

}  // namespace holdfast::kube
