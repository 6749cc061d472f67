#include "cni-flannel/daemon/no_masquerade.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

void add(NoMasqueradeRanges& out, NoMasqueradeRanges more) {
  out.ranges.insert(out.ranges.end(), more.ranges.begin(), more.ranges.end());
  for (std::string& note : more.notes) out.notes.push_back(std::move(note));
}

void sort_once(std::vector<Cidr>& ranges) {
  std::ranges::sort(ranges);
  ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
}

}  // namespace

NoMasqueradeRanges parse_no_masquerade(std::string_view text, const std::string& name) {
  NoMasqueradeRanges out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view rest = take_until(text, '\n');
    const std::string_view line = trim(take_until(rest, '#'));
    if (line.empty()) continue;
    const Result<Cidr> range = Cidr::parse(line);
    if (range) {
      out.ranges.push_back(range->network());
    } else {
      out.notes.push_back(name + ":" + std::to_string(number) + ": " + range.error().message);
    }
  }
  sort_once(out.ranges);
  return out;
}

NoMasqueradeRanges read_no_masquerade(Files& files, const std::filesystem::path& folder) {
  NoMasqueradeRanges out;
  Result<std::vector<std::string>> names = files.list(folder);
  if (!names) {
    out.notes.push_back(names.error().message);
    return out;
  }
  std::ranges::sort(*names);
  for (const std::string& name : *names) {
    if (name.starts_with('.')) continue;
    const std::filesystem::path path = folder / name;
    const Result<std::optional<std::string>> text = files.read(path, kMaxFileBytes);
    if (!text) {
      out.notes.push_back(text.error().message);
    } else if (text->has_value()) {
      add(out, parse_no_masquerade(**text, path.native()));
    }
  }
  sort_once(out.ranges);
  return out;
}

}  // namespace holdfast::flannel
