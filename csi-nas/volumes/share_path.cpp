#include "csi-nas/volumes/share_path.h"

#include <algorithm>

#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kMostNameBytes = 255;
constexpr std::size_t kMostShownBytes = 200;

tl::unexpected<Error> refused(std::string_view path, std::string_view why) {
  return fail(Code::kInvalidArgument,
              "the path '" + printable(path, kMostShownBytes) + "' " + std::string(why));
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);  // char has a sign on one processor and none on another
  return byte < ' ' || byte == '\x7f';
}

}  // namespace

Result<std::string> clean_path(std::string_view path) {
  if (!path.starts_with('/')) return refused(path, "does not begin with '/'");
  if (path.size() > kMostPathBytes) return refused(path, "is longer than 1024 bytes");
  if (std::ranges::any_of(path, is_control)) return refused(path, "holds a control character");
  std::string out;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string_view name = take_until(rest, '/');
    if (name.empty() || name == ".") continue;
    if (name == "..") return refused(path, "holds '..'");
    if (name.size() > kMostNameBytes) return refused(path, "has a name of more than 255 bytes");
    out += '/';
    out += name;
  }
  return out.empty() ? "/" : out;
}

}  // namespace holdfast::nas
