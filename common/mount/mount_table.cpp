#include "common/mount/mount_table.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "common/base/text.h"

namespace holdfast::mount {
namespace {

constexpr int kTriesWhileChanging = 8;
constexpr std::size_t kReadBytes = std::size_t{16} << 10;  // the kernel gives some 4 KiB a time

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// Blank, tab, line end and backslash stand as \ooo. Any other backslash is the kernel's own text.
std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' &&
                         is_octal(text[i + 1]) && is_octal(text[i + 2]) && is_octal(text[i + 3]);
    if (!escaped) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return out;
}

bool take_number(std::string_view text, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// The optional fields, up to " - ". False when they are not closed.
bool take_tags(std::string_view& rest, MountEntry& entry) {
  while (!rest.empty()) {
    std::string_view tag = take_until(rest, ' ');
    if (tag == "-") return true;
    if (tag == "unbindable") entry.unbindable = true;
    const std::string_view name = take_until(tag, ':');
    if (name == "shared" && !take_number(tag, entry.shared)) return false;
    if (name == "master" && !take_number(tag, entry.master)) return false;
  }
  return false;
}

std::optional<MountEntry> parse_line(std::string_view rest) {
  MountEntry entry;
  if (!take_number(take_until(rest, ' '), entry.id) || !take_number(take_until(rest, ' '), entry.parent_id)) {
    return std::nullopt;
  }
  std::string_view device = take_until(rest, ' ');
  if (!take_number(take_until(device, ':'), entry.major) || !take_number(device, entry.minor))
    return std::nullopt;
  entry.root = unescape(take_until(rest, ' '));
  entry.target = unescape(take_until(rest, ' '));
  entry.options = take_until(rest, ' ');
  if (entry.root.empty() || !entry.target.starts_with('/') || !take_tags(rest, entry)) return std::nullopt;
  entry.type = unescape(take_until(rest, ' '));
  entry.source = unescape(take_until(rest, ' '));  // may be empty
  entry.super_options = unescape(rest);
  if (entry.type.empty()) return std::nullopt;
  return entry;
}

bool holds_option(std::string_view options, std::string_view option) {
  while (!options.empty()) {
    if (take_until(options, ',') == option) return true;
  }
  return false;
}

}  // namespace

bool MountEntry::read_only() const { return holds_option(options, "ro"); }

bool MountEntry::turned_read_only() const { return !read_only() && holds_option(super_options, "ro"); }

Result<Mounts> parse_mountinfo(std::string_view text) {
  Mounts mounts;
  mounts.reserve(static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1);
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto entry = parse_line(take_until(text, '\n'));
    if (!entry)
      return fail(Code::kInvalidArgument, "mountinfo: line " + std::to_string(number) + " is not a mount");
    mounts.push_back(*std::move(entry));
  }
  return mounts;
}

const MountEntry* mounted_at(const Mounts& mounts, std::string_view target) {
  const auto found = std::find_if(mounts.rbegin(), mounts.rend(),
                                  [&](const MountEntry& entry) { return entry.target == target; });
  return found == mounts.rend() ? nullptr : &*found;
}

Result<std::unique_ptr<MountTable>> MountTable::open(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open " + path);
  return std::unique_ptr<MountTable>(new MountTable(std::move(fd)));
}

// The kernel tells each change to one poll(2) of this descriptor.
bool MountTable::changed() const {
  pollfd watched{.fd = fd_.get(), .events = POLLPRI, .revents = 0};
  return ::poll(&watched, 1, 0) != 0;
}

Status MountTable::read_anew() {
  std::size_t size = 0;
  ++reads_;
  while (true) {
    if (text_.size() - size < kReadBytes) text_.resize(2 * text_.size() + kReadBytes);
    const ssize_t n = ::pread(fd_.get(), text_.data() + size, text_.size() - size, static_cast<off_t>(size));
    if (n < 0 && errno != EINTR) return fail_errno(errno, "read mountinfo");
    if (n == 0) break;
    if (n > 0) size += static_cast<std::size_t>(n);
  }
  HOLDFAST_TRY(Mounts parsed, parse_mountinfo(std::string_view(text_).substr(0, size)));
  mounts_ = std::make_shared<const Mounts>(std::move(parsed));
  return {};
}

Result<std::shared_ptr<const Mounts>> MountTable::now() {
  const std::scoped_lock lock(mutex_);
  // A change while it is read may tear it; then it is read again.
  for (int tries = 0; tries < kTriesWhileChanging && (changed() || mounts_ == nullptr); ++tries) {
    mounts_ = nullptr;
    HOLDFAST_CHECK(read_anew());
    if (!changed()) return mounts_;
    mounts_ = nullptr;
  }
  if (mounts_ == nullptr) return fail(Code::kUnavailable, "read mountinfo: it changes all the time");
  return mounts_;
}

std::uint64_t MountTable::reads() const {
  const std::scoped_lock lock(mutex_);
  return reads_;
}

}  // namespace holdfast::mount
