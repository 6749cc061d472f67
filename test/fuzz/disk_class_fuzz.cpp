#include <string>
#include <string_view>

#include "common/base/text.h"
#include "csi-disk/volumes/disk_class.h"
#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace disk = holdfast::disk;
using holdfast::fuzz::require;

void check_tags(const disk::Tags& tags) {
  require(tags.size() <= disk::kMostTags);
  for (const auto& [key, value] : tags) {
    require(!key.empty() && !key.starts_with(disk::kOwnTags));
    require((key + value).find_first_of(std::string("\n\0", 2)) == std::string::npos);
  }
}

void check_class(const disk::Parameters& given, const disk::DiskCloud& cloud) {
  const auto read = disk::parse_disk_class(given, cloud);
  if (!read) return require(read.error().code == holdfast::Code::kInvalidArgument);
  check_tags(read->tags);
  require(!read->types.empty() && (read->key.empty() || read->encrypted));
  for (const std::uint64_t gib : {0U, 1U, 25U, 470U, 40000U}) {
    const disk::SizeWish wish{.required_bytes = gib * disk::kGiB, .limit_bytes = 2000 * disk::kGiB};
    const auto choices = disk::choices_of(*read, cloud, wish);
    if (!choices) continue;
    require(!choices->empty());
    for (const disk::DiskChoice& each : *choices) require(each.gib >= gib && each.gib <= 2000);
  }
}

}  // namespace

// Lines "key=value" are parameters, the first line is a volume's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = holdfast::fuzz::text_of(data, size);
  require(disk::is_cloud_name(disk::disk_name_of(holdfast::take_until(rest, '\n'))));
  disk::Parameters given;
  while (!rest.empty()) {
    std::string_view line = holdfast::take_until(rest, '\n');
    const std::string key(holdfast::take_until(line, '='));
    given[key] = line;
  }
  for (const disk::DiskCloud& cloud : disk::known_clouds()) {
    check_class(given, cloud);
    if (const auto change = disk::parse_disk_change(given, cloud)) check_tags(change->set);
  }
  if (const auto read = disk::parse_snapshot_class(given)) check_tags(read->tags);
  return 0;
}
