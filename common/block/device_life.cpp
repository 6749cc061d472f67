#include "common/block/device_life.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <vector>

namespace holdfast::block {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSectorBytes = 512;  // of sysfs, whatever the disk's is
// Of the file `stat`, from 0.
constexpr std::size_t kWrittenSectors = 6;
constexpr std::size_t kReleasedSectors = 13;  // since 4.18

std::string line_of(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::vector<std::uint64_t> numbers_of(const fs::path& file) {
  std::ifstream stream(file);
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t number = 0; stream >> number;) numbers.push_back(number);
  return numbers;
}

std::uint64_t number_of(const fs::path& file) {
  const std::vector<std::uint64_t> numbers = numbers_of(file);
  return numbers.empty() ? 0 : numbers.front();
}

}  // namespace

std::optional<DeviceLife> life_of(dev_t number, const fs::path& sys) {
  const std::string name = std::to_string(major(number)) + ":" + std::to_string(minor(number));
  std::error_code error;
  const fs::path folder = fs::canonical(sys / "dev/block" / name, error);
  struct stat info {};
  if (error || ::stat(folder.c_str(), &info) != 0) return std::nullopt;
  const fs::path disk = fs::exists(folder / "partition", error) ? folder.parent_path() : folder;
  const std::vector<std::uint64_t> counts = numbers_of(folder / "stat");
  if (counts.size() <= kReleasedSectors || line_of(disk / "queue/iostats") != "1") return std::nullopt;
  return DeviceLife{.number = number,
                    .inode = info.st_ino,
                    .sequence = number_of(disk / "diskseq"),
                    .source = line_of(folder / "loop/backing_file") + line_of(folder / "dm/uuid"),
                    .size_bytes = number_of(folder / "size") * kSectorBytes,
                    .written_bytes = counts[kWrittenSectors] * kSectorBytes,
                    .released_bytes = counts[kReleasedSectors] * kSectorBytes};
}

}  // namespace holdfast::block
