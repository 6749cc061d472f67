#include "csi-nas/directories/relative_path.h"

#include <algorithm>

#include "common/base/sha.h"
#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kShown = 200;
constexpr std::string_view kSnapshots = "/snapshots/";
constexpr std::size_t kMostOfSnapshot = 128;
constexpr std::size_t kHashDigits = 24;

bool is_plain(char each) {
  return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || (each >= '0' && each <= '9') ||
         each == '-' || each == '_' || each == '.';
}

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  std::string message = "the directory '" + printable(text, kShown) + "' ";
  message += why;
  return fail(Code::kInvalidArgument, std::move(message));
}

}  // namespace

Result<RelativePath> RelativePath::parse(std::string_view text) {
  std::string path;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view name = take_until(rest, '/');
    if (name.empty()) continue;
    if (name == "." || name == "..") return refuse(text, "holds '.' or '..': name it from the share's root");
    if (name.find('\0') != std::string_view::npos) return refuse(text, "holds a zero byte");
    if (name.size() > kMaxNameBytes) return refuse(text, "has a name of more than 255 bytes");
    if (name == kOwnFolder) return refuse(text, "is kept for the driver: choose another");
    if (!path.empty()) path += '/';
    path += name;
  }
  if (path.empty()) return refuse(text, "is the share itself: name a directory below it");
  if (path.size() > kMaxPathBytes) return refuse(text, "is too long: 4000 bytes are the most");
  return RelativePath(std::move(path));
}

RelativePath RelativePath::of_snapshot(std::string_view name) {
  const bool plain = !name.empty() && name.size() <= kMostOfSnapshot && name.front() != '.' &&
                     std::all_of(name.begin(), name.end(), is_plain);
  std::string path(kOwnFolder);
  path += kSnapshots;
  if (plain) {
    path += name;
  } else {
    path += ".";
    path += sha512_hex(name).substr(0, kHashDigits);
  }
  return RelativePath(std::move(path));
}

// parse() refuses all else that is in our folder.
bool RelativePath::is_snapshot() const {
  return text_.starts_with(kOwnFolder) && text_[kOwnFolder.size()] == '/';
}

std::string RelativePath::parent() const {
  const std::size_t slash = text_.rfind('/');
  return slash == std::string::npos ? std::string() : text_.substr(0, slash);
}

std::string RelativePath::name() const { return text_.substr(text_.rfind('/') + 1); }

}  // namespace holdfast::nas
