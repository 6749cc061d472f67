#include "csi-disk/volumes/parameter_keys.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/text.h"
#include "csi-disk/volumes/disk_tags.h"

namespace holdfast::disk {
namespace {

constexpr std::string_view kOthersPrefix = "csi.storage.k8s.io/";
constexpr std::string_view kFsTypeOfKubernetes = "csi.storage.k8s.io/fstype";
constexpr std::uint32_t kMostDays = 65536;
constexpr std::size_t kMostTagBytes = 127;

tl::unexpected<Error> refuse_key(const std::string& key, const ParameterNames& known) {
  std::string message = "there is no parameter " + printable(key, kMostTagBytes) + " of " +
                        std::string(known.what) + "; there are:";
  for (const std::string_view name : known.names) message.append(" ").append(name);
  for (const std::string_view prefix : known.prefixes) message.append(" ").append(prefix).append("<key>");
  return fail(Code::kInvalidArgument, std::move(message));
}

// Its documented name; empty for one that is skipped.
Result<std::string> name_of(const std::string& key, const ParameterNames& known) {
  std::string lower = lower_case(key);
  if (lower == kFsTypeOfKubernetes) lower = "fstype";
  if (lower.starts_with(kOthersPrefix)) return std::string();
  const auto alias = known.aliases.find(lower);
  if (alias != known.aliases.end()) lower = lower_case(alias->second);
  for (const std::string_view name : known.names) {
    if (lower_case(name) == lower) return std::string(name);
  }
  for (const std::string_view prefix : known.prefixes) {
    if (lower.starts_with(lower_case(prefix))) return std::string(prefix) + key.substr(prefix.size());
  }
  return refuse_key(key, known);
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Status check_tag_text(std::string_view name, std::string_view text) {
  const std::string lower = lower_case(text);
  if (text.size() > kMostTagBytes)
    return refuse_parameter(name, text, "is longer than a cloud's tag may be, 127 bytes");
  if (lower.find("http://") != std::string::npos || lower.find("https://") != std::string::npos)
    return refuse_parameter(name, text, "holds an address, which clouds refuse in a tag");
  if (has_control(text)) return refuse_parameter(name, text, "holds a control character");
  return {};
}

}  // namespace

Result<Parameters> under_their_names(const Parameters& given, const ParameterNames& known) {
  Parameters out;
  for (const auto& [key, value] : given) {
    HOLDFAST_TRY(const std::string name, name_of(key, known));
    if (name.empty()) continue;
    const auto [there, fresh] = out.emplace(name, value);
    if (!fresh && trim(there->second) != trim(value)) {
      return refuse_parameter(name, value, "is told twice, as '" + there->second + "' too");
    }
  }
  return out;
}

std::string value_of(const Parameters& parameters, std::string_view name) {
  const auto found = parameters.find(std::string(name));
  return found == parameters.end() ? "" : std::string(trim(found->second));
}

tl::unexpected<Error> refuse_parameter(std::string_view name, std::string_view value, std::string_view why) {
  constexpr std::size_t kShown = 200;
  std::string message = "the parameter " + printable(name, kShown) + ": '" + printable(value, kShown) + "' ";
  return fail(Code::kInvalidArgument, message.append(why));
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = trim(take_until(text, ','));
    if (!word.empty() && std::ranges::find(words, word) == words.end()) words.emplace_back(word);
  }
  return words;
}

Result<std::optional<std::uint32_t>> count_of(const Parameters& parameters, std::string_view name,
                                              std::uint32_t least, std::uint32_t most) {
  const std::string text = value_of(parameters, name);
  if (text.empty()) return std::nullopt;
  std::uint32_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || rest != end || count < least || count > most) {
    return refuse_parameter(name, text,
                            "is no number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return count;
}

Result<std::optional<std::uint32_t>> days_of(const Parameters& parameters, std::string_view name) {
  return count_of(parameters, name, 1, kMostDays);
}

Result<std::string> parse_level(std::string_view word) {
  constexpr std::array<std::string_view, 4> kLevels{"PL0", "PL1", "PL2", "PL3"};
  const auto* const found = std::ranges::find_if(
      kLevels, [word](std::string_view level) { return lower_case(level) == lower_case(word); });
  if (found != kLevels.end()) return std::string(*found);
  return refuse_parameter("performanceLevel", word, "must be PL0, PL1, PL2 or PL3");
}

Status check_tag_key(std::string_view name, std::string_view key) {
  HOLDFAST_CHECK(check_tag_text(name, key));
  if (key.empty()) return refuse_parameter(name, key, "is a tag without a key");
  if (key.starts_with(kOwnTags))
    return refuse_parameter(name, key, "may not begin with csi., the driver's own");
  const std::string lower = lower_case(key);
  for (const std::string_view taken : {"aliyun", "acs:", "tencent"}) {
    if (lower.starts_with(taken))
      return refuse_parameter(name, key, "begins with " + std::string(taken) + ", a cloud's own");
  }
  return {};
}

Status add_tag(Tags& tags, std::string_view name, std::string_view key, std::string_view value) {
  HOLDFAST_CHECK(check_tag_key(name, key));
  HOLDFAST_CHECK(check_tag_text(name, value));
  const auto [there, fresh] = tags.emplace(key, value);
  if (!fresh && there->second != value) return refuse_parameter(name, key, "is told twice");
  if (tags.size() > kMostTags)
    return refuse_parameter(name, key,
                            "is one too many: there may be " + std::to_string(kMostTags) + " tags");
  return {};
}

Status add_tags_behind(Tags& tags, const Parameters& parameters, std::string_view prefix) {
  for (auto each = parameters.lower_bound(std::string(prefix));
       each != parameters.end() && each->first.starts_with(prefix); ++each) {
    HOLDFAST_CHECK(add_tag(tags, prefix, each->first.substr(prefix.size()), trim(each->second)));
  }
  return {};
}

}  // namespace holdfast::disk
