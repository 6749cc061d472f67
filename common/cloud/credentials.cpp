#include "common/cloud/credentials.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/linked_file.h"
#include "common/base/text.h"

namespace holdfast::cloud {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 10;
constexpr std::size_t kMostValueBytes = 4096;

// What a header can carry; a line's end in it would begin another.
bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char each) { return each > ' ' && each <= '~'; });
}

// The first of `names` that is there. Not shown when it is wrong: it may be a secret.
Result<std::string> value_of(const JsonObject& object, std::initializer_list<std::string_view> names,
                             bool required) {
  for (const std::string_view name : names) {
    const JsonField field = object[name];
    if (!field.present()) continue;
    const Result<std::string> value = field.string();
    const std::string text = value ? std::string(trim(*value)) : "";
    if (!text.empty() && text.size() <= kMostValueBytes && is_printable(text)) return text;
    if (text.empty() && value && !required) continue;
    return fail(Code::kInvalidArgument, std::string(name) + ": is not a text without blanks");
  }
  if (!required) return std::string();
  return fail(Code::kInvalidArgument, std::string(*names.begin()) + ": is missing");
}

Result<std::optional<std::chrono::sys_seconds>> end_of(const JsonObject& object) {
  const JsonField text = object["Expiration"];
  if (text.present()) {
    HOLDFAST_TRY(const std::string value, text.string());
    const std::optional<std::chrono::sys_seconds> time = parse_utc(value);
    if (!time) return text.refuse("is not a time such as 2026-11-22T08:00:00Z");
    return time;
  }
  constexpr std::int64_t kLast = 253'402'300'799;  // the end of the year 9999
  HOLDFAST_TRY(const std::int64_t seconds, object["ExpiredTime"].integer_or(0, 0, kLast));
  if (seconds == 0) return std::optional<std::chrono::sys_seconds>{};
  return std::optional(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

}  // namespace

KeptCredentials::KeptCredentials(Read read, Clock& clock, std::chrono::seconds look_again)
    : read_(std::move(read)), clock_(clock), look_again_(look_again) {}

// Whether those that are kept need not be read again.
bool KeptCredentials::serves() const {
  if (!kept_ || doubted_) return false;
  if (look_again_ > std::chrono::seconds::zero() && clock_.since_boot() - read_at_ >= look_again_)
    return false;
  return !kept_->ends || clock_.now() + kBeforeEnd < *kept_->ends;
}

Result<Credentials> KeptCredentials::current() {
  const std::lock_guard lock(mutex_);
  if (serves()) return *kept_;
  Result<Credentials> fresh = read_();
  if (fresh) {
    kept_ = *fresh;
    read_at_ = clock_.since_boot();
    doubted_ = false;
  } else if (!kept_) {
    return fresh;
  }
  if (!kept_->ends || clock_.now() < *kept_->ends) return *kept_;
  const std::string ended = "the credentials ended at " + utc_text(*kept_->ends);
  return fail(Code::kUnavailable, fresh ? ended : ended + ": " + fresh.error().message);
}

void KeptCredentials::doubt() {
  const std::lock_guard lock(mutex_);
  doubted_ = true;
}

Result<Credentials> parse_credentials(std::string_view text) {
  // An error of the text itself could show a part of it.
  const Result<nlohmann::json> document = parse_json(text, {.max_bytes = kMostBytes, .max_depth = 4});
  if (!document || !document->is_object())
    return fail(Code::kInvalidArgument, "the credentials are no object in JSON");
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(*document));
  HOLDFAST_TRY(const std::string code, object["Code"].string_or("Success"));
  if (code != "Success") return object["Code"].refuse("is not Success");
  Credentials out;
  HOLDFAST_TRY(out.id, value_of(object, {"AccessKeyId", "SecretId", "TmpSecretId"}, true));
  HOLDFAST_TRY(out.secret, value_of(object, {"AccessKeySecret", "SecretKey", "TmpSecretKey"}, true));
  HOLDFAST_TRY(out.token, value_of(object, {"SecurityToken", "Token"}, false));
  HOLDFAST_TRY(out.ends, end_of(object));
  return out;
}

Result<Credentials> read_credentials_file(Files& files, const std::filesystem::path& path) {
  HOLDFAST_TRY(const std::string text, read_linked_file(files, path, kMostBytes));
  Result<Credentials> out = parse_credentials(text);
  if (!out) return tl::unexpected(std::move(out).error().within(path.string()));
  return out;
}

Result<Credentials> read_credentials_folder(Files& files, const std::filesystem::path& folder) {
  struct Names {
    const char* id;
    const char* secret;
    const char* token;
  };
  constexpr std::array kNames{Names{"access-key-id", "access-key-secret", "security-token"},
                              Names{"secret-id", "secret-key", "token"}};
  const auto read = [&](const char* name) -> Result<std::string> {
    HOLDFAST_TRY(const std::string text, read_linked_file(files, folder / name, kMostValueBytes));
    if (!trim(text).empty() && is_printable(trim(text))) return std::string(trim(text));
    return fail(Code::kInvalidArgument, (folder / name).string() + ": is not a text without blanks");
  };
  for (const Names& names : kNames) {
    Result<std::string> id = read(names.id);
    if (!id && id.error().code == Code::kNotFound) continue;
    if (!id) return tl::unexpected(std::move(id).error());
    HOLDFAST_TRY(std::string secret, read(names.secret));
    Result<std::string> token = read(names.token);
    if (!token && token.error().code != Code::kNotFound) return tl::unexpected(std::move(token).error());
    return Credentials{.id = *std::move(id), .secret = std::move(secret), .token = token.value_or("")};
  }
  return fail(Code::kNotFound, folder.string() + ": holds neither access-key-id nor secret-id");
}

Result<Credentials> read_role_credentials(HttpClient& http, Vendor vendor, const std::string& url,
                                          const std::string& role) {
  const bool alibaba = vendor == Vendor::kAlibaba;
  const std::string folder =
      alibaba ? "/latest/meta-data/ram/security-credentials/" : "/latest/meta-data/cam/security-credentials/";
  Metadata metadata(http, vendor, url);
  std::string name = role;
  if (name.empty()) {
    HOLDFAST_TRY(const std::string names, metadata.get(folder));
    std::string_view rest = names;
    name = std::string(trim(take_until(rest, '\n')));
    if (name.empty()) return fail(Code::kNotFound, "this machine has no role of the cloud");
  }
  if (!is_printable(name) || name.find('/') != std::string::npos) {
    return fail(Code::kInvalidArgument, "the role '" + printable(name, 200) + "' is not a name");
  }
  HOLDFAST_TRY(const std::string text, metadata.get(folder + name));
  return parse_credentials(text);
}

}  // namespace holdfast::cloud
