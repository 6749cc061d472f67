#include "egw-gateway/bfd/key_file.h"

#include <charconv>
#include <cstddef>
#include <utility>

#include "common/base/linked_file.h"
#include "common/base/text.h"

namespace holdfast::bfd {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;

Result<Key> parse_key(std::string_view line, std::size_t number) {
  const auto refuse = [&](const std::string& why) {
    return fail(Code::kInvalidArgument, "line " + std::to_string(number) + " " + why);
  };
  const std::string_view id = take_until(line, ' ');
  Key key;
  const auto [end, failed] = std::from_chars(id.data(), id.data() + id.size(), key.id);
  if (failed != std::errc{} || end != id.data() + id.size())
    return refuse("does not begin with an id, 0..255");
  key.secret = trim(line);
  if (key.secret.empty() || key.secret.size() > kLongestSecret) {
    return refuse("has no secret of 1.." + std::to_string(kLongestSecret) + " bytes behind the id");
  }
  return key;
}

}  // namespace

Result<Keys> parse_key_file(std::string_view text) {
  std::vector<Key> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = trim(take_until(text, '\n'));
    if (line.empty() || line.starts_with('#')) continue;
    HOLDFAST_TRY(Key key, parse_key(line, number));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return fail(Code::kInvalidArgument, "there is no key; a line is \"ID SECRET\"");
  Keys out{keys.front(), {keys.begin() + 1, keys.end()}};
  HOLDFAST_CHECK(check(out));
  return out;
}

Result<Keys> read_key_file(Files& files, const std::filesystem::path& path) {
  HOLDFAST_TRY(const std::string text, read_linked_file(files, path, kMaxFileBytes));
  Result<Keys> keys = parse_key_file(text);
  if (!keys) return tl::unexpected(std::move(keys).error().within(path.native()));
  return keys;
}

}  // namespace holdfast::bfd
