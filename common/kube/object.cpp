#include "common/kube/object.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"

namespace holdfast::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestWords = 300;  // of an answer that is no Status
constexpr std::uint8_t kLastCode = 15;
constexpr int kBadRequest = 400;
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;
constexpr int kGone = 410;
constexpr int kUnprocessable = 422;
constexpr int kTooManyRequests = 429;
constexpr int kServerErrors = 500;

const KeptFields& always_kept() {
  static const KeptFields fields{"kind", "metadata.name", "metadata.namespace", "metadata.uid",
                                 "metadata.resourceVersion"};
  return fields;
}

// Whether the place `path` is on the way to a kept field, or at or below one.
bool leads_to(const std::string& field, const std::vector<std::string>& path) {
  std::string_view rest = field;
  for (const std::string& step : path) {
    if (rest.empty()) {
      return true;
    }
    const std::size_t end = std::min(rest.find('.'), rest.size());
    if (rest.substr(0, end) != step) {
      return false;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

// The callback of nlohmann's parser that leaves out the members which are not kept.
class Filter {
 public:
  explicit Filter(const KeptFields& kept) : kept_(kept) {}

  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (event != json::parse_event_t::key) {
      return true;
    }
    path_.resize(static_cast<std::size_t>(depth));
    path_.back() = parsed.get_ref<const std::string&>();
    const auto leads_here = [this](const std::string& field) { return leads_to(field, path_); };
    return std::ranges::any_of(always_kept(), leads_here) || std::ranges::any_of(kept_, leads_here);
  }

 private:
  const KeptFields& kept_;
  std::vector<std::string> path_;  // names of members; empty for an element of an array
};

Code code_of(int http_status, std::string_view reason) {
  switch (http_status) {
    case kBadRequest:
    case kUnprocessable:
      return Code::kInvalidArgument;
    case kUnauthorized:
    case kForbidden:
      return Code::kPermissionDenied;
    case kNotFound:
      return Code::kNotFound;
    case kConflict:
      return reason == "AlreadyExists" ? Code::kAlreadyExists : Code::kAborted;
    case kGone:
      return Code::kOutOfRange;
    case kTooManyRequests:
      return Code::kResourceExhausted;
    default:
      return http_status >= kServerErrors ? Code::kUnavailable : Code::kUnknown;
  }
}

bool may_stand_in_url(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

bool is_name_part(std::string_view text) {
  return !text.empty() && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

std::optional<Code> parse_code(std::string_view word) {
  for (std::uint8_t number = 1; number <= kLastCode; ++number) {
    const auto code = static_cast<Code>(number);
    if (holdfast::to_string(code) == word) return code;
  }
  return std::nullopt;
}

std::string escape(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (may_stand_in_url(c)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kDigits[byte >> 4U]);
      out.push_back(kDigits[byte & 0xfU]);
    }
  }
  return out;
}

std::string Resource::path() const {
  std::string out = group.empty() ? "/api/" : "/apis/" + group + "/";
  out += version;
  out += name_space.empty() ? "" : "/namespaces/" + escape(name_space);
  out += "/" + plural;
  return out;
}

std::string Resource::path(std::string_view name, std::string_view subresource) const {
  std::string out = path() + "/" + escape(name);
  if (!subresource.empty()) {
    out += "/";
    out += subresource;
  }
  return out;
}

std::optional<std::uint64_t> version_number(std::string_view resource_version) {
  std::uint64_t number = 0;
  const char* end = resource_version.data() + resource_version.size();
  const auto [stopped, error] = std::from_chars(resource_version.data(), end, number);
  return error == std::errc() && stopped == end && number != 0 ? std::optional(number) : std::nullopt;
}

Result<json> parse_object(std::string_view text, const KeptFields& kept) {
  json object = json::parse(text, Filter(kept), /*allow_exceptions=*/false);
  if (!object.is_object()) {
    const auto mistake = parse_json(text, {.max_bytes = text.size()});
    return fail(Code::kDataLoss,
                "an object of the API is " + (mistake ? "none" : "not JSON: " + mistake.error().message));
  }
  return object;
}

std::string text_of(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<ObjectId> id_of(const json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) {
    return fail(Code::kDataLoss, "an object of the API has no metadata");
  }
  return ObjectId{.name = text_of(*metadata, "name"),
                  .name_space = text_of(*metadata, "namespace"),
                  .uid = text_of(*metadata, "uid"),
                  .resource_version = text_of(*metadata, "resourceVersion")};
}

Error error_of_answer(int http_status, std::string_view body) {
  const json status = json::parse(body, nullptr, /*allow_exceptions=*/false);
  std::string reason;
  std::string words(body.substr(0, kLongestWords));
  if (status.is_object() && text_of(status, "kind") == "Status") {
    reason = text_of(status, "reason");
    words = text_of(status, "message");
  }
  words.erase(words.find_last_not_of("\r\n ") + 1);
  return {.code = code_of(http_status, reason),
          .sys_errno = 0,
          .message = std::to_string(http_status) + (reason.empty() ? "" : " " + reason) + ": " + words};
}

}  // namespace holdfast::kube
