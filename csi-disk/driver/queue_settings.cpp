#include "csi-disk/driver/queue_settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "common/base/fd.h"
#include "common/base/text.h"

namespace holdfast::disk {
namespace {

constexpr std::string_view kFolder = "/queue/";
// Source: the kernel's Documentation/ABI/stable/sysfs-block. Left out: what changes how data is kept safe
// (write_cache), or what others are told of the disk (rotational).
constexpr std::array<std::string_view, 11> kAllowed{
    "add_random",  "io_poll",       "io_timeout",  "iostats",   "max_sectors_kb", "nomerges",
    "nr_requests", "read_ahead_kb", "rq_affinity", "scheduler", "wbt_lat_usec"};
constexpr std::size_t kLongestValue = 32;

bool is_value(std::string_view text) {
  return !text.empty() && text.size() <= kLongestValue && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

tl::unexpected<Error> refuse(std::string_view word) {
  std::string text =
      "sysConfig: '" + printable(word, 100) + "' is not of the form /queue/NAME=VALUE with one of";
  for (const std::string_view each : kAllowed) text.append(" ").append(each);
  return fail(Code::kInvalidArgument, std::move(text));
}

}  // namespace

Result<std::vector<QueueSetting>> parse_queue_settings(std::string_view text) {
  std::vector<QueueSetting> out;
  while (!text.empty()) {
    const std::string_view word = trim(take_until(text, ','));
    if (word.empty()) continue;
    std::string_view value = word;
    std::string_view name = take_until(value, '=');
    if (!name.starts_with(kFolder)) return refuse(word);
    name.remove_prefix(kFolder.size());
    if (std::ranges::find(kAllowed, name) == kAllowed.end() || !is_value(value)) return refuse(word);
    out.push_back({std::string(name), std::string(value)});
  }
  return out;
}

Status apply(const std::vector<QueueSetting>& settings, const std::string& disk,
             const std::filesystem::path& sys) {
  for (const QueueSetting& each : settings) {
    const std::string path = (sys / "block" / disk / "queue" / each.name).native();
    const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_TRUNC));
    if (!file.valid()) return fail_errno(errno, "sysConfig: open " + path);
    if (::write(file.get(), each.value.data(), each.value.size()) < 0) {
      return fail_errno(errno, "sysConfig: write " + each.value + " to " + path);
    }
  }
  return {};
}

}  // namespace holdfast::disk
