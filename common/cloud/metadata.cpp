#include "common/cloud/metadata.h"

#include <algorithm>

#include "common/base/text.h"

namespace holdfast::cloud {
namespace {

constexpr int kOk = 200;
constexpr int kNotFound = 404;

// What a header can carry.
bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char each) { return each > ' ' && each <= '~'; });
}

}  // namespace

std::string_view metadata_url(Vendor vendor) {
  return vendor == Vendor::kAlibaba ? "http://100.100.100.200" : "http://metadata.tencentyun.com";
}

Result<Metadata::Headers> Metadata::begin_session() {
  if (vendor_ != Vendor::kAlibaba) return Headers{};
  const HttpRequest request{.method = "PUT",
                            .url = url_ + "/latest/api/token",
                            .headers = {{"X-aliyun-ecs-metadata-token-ttl-seconds", "600"}}};
  Answer<HttpReply> reply = http_.exchange(request, kMetadataPatience);
  if (!reply) return fail(Code::kUnavailable, request.url + ": " + std::move(reply).error().message);
  const std::string_view token = trim(reply->body);
  if (reply->status != kOk || !is_word(token)) return Headers{};
  return Headers{{"X-aliyun-ecs-metadata-token", std::string(token)}};
}

Result<std::string> Metadata::get(const std::string& path) {
  if (!session_) {
    HOLDFAST_TRY(session_, begin_session());
  }
  const HttpRequest request{.method = "GET", .url = url_ + path, .headers = *session_};
  Answer<HttpReply> reply = http_.exchange(request, kMetadataPatience);
  if (!reply) return fail(Code::kUnavailable, request.url + ": " + std::move(reply).error().message);
  if (reply->status == kOk) return std::move(reply->body);
  return fail(reply->status == kNotFound ? Code::kNotFound : Code::kUnavailable,
              "GET " + request.url + ": status " + std::to_string(reply->status));
}

}  // namespace holdfast::cloud
