#include "csi-disk/volumes/queue_settings.h"

#include <algorithm>
#include <array>
#include <cctype>

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

}  // namespace holdfast::disk
