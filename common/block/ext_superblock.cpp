#include "common/block/ext_superblock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "common/base/checksum.h"
#include "common/base/fd.h"

namespace holdfast::block {
namespace {

constexpr off_t kOffset = 1024;
constexpr std::uint32_t kMagic = 0xef53;
constexpr std::uint32_t kStateClean =
    1;  // and neither 2, errors were found, nor 4, orphans are being removed
constexpr std::uint32_t kNeedsRecovery = 0x4;
constexpr std::uint32_t k64Bit = 0x80;
constexpr std::uint32_t kMetadataChecksum = 0x400;
constexpr std::uint32_t kLargestLogBlock = 6;  // 64 KiB
constexpr std::size_t kChecksumAt = 0x3fc;

std::uint32_t number16(const ExtSuperblockBytes& bytes, std::size_t at) {
  return bytes.at(at) | std::uint32_t{bytes.at(at + 1)} << 8U;
}

std::uint32_t number32(const ExtSuperblockBytes& bytes, std::size_t at) {
  return number16(bytes, at) | number16(bytes, at + 2) << 16U;
}

bool checksum_is_right(const ExtSuperblockBytes& bytes) {
  if ((number32(bytes, 0x64) & kMetadataChecksum) == 0) return true;
  const std::string_view covered(static_cast<const char*>(static_cast<const void*>(bytes.data())),
                                 kChecksumAt);
  return number32(bytes, kChecksumAt) == ~crc32c(covered);
}

// Mounts since the last check, and how many may be; the latter is -1 or 0 for no limit.
bool check_is_due(const ExtSuperblockBytes& bytes) {
  const std::uint32_t most = number16(bytes, 0x36);
  const bool limited = most != 0 && most < 0x8000;
  const bool by_time = number32(bytes, 0x44) != 0;  // a clock would be needed: left to e2fsck
  return by_time || (limited && number16(bytes, 0x34) >= most);
}

}  // namespace

std::optional<ExtSuperblock> parse_ext_superblock(const ExtSuperblockBytes& bytes) {
  const std::uint32_t log_block = number32(bytes, 0x18);
  if (number16(bytes, 0x38) != kMagic || log_block > kLargestLogBlock) return std::nullopt;
  const std::uint32_t incompatible = number32(bytes, 0x60);
  const std::uint64_t high = (incompatible & k64Bit) != 0 ? std::uint64_t{number32(bytes, 0x150)} << 32U : 0;
  const std::uint32_t counted_errors = number32(bytes, 0x194);
  const std::uint32_t first_orphan = number32(bytes, 0xe8);
  ExtSuperblock out;
  out.block_bytes = std::uint64_t{1} << (10U + log_block);
  out.size_bytes = (high | number32(bytes, 0x4)) * out.block_bytes;
  out.clean = number16(bytes, 0x3a) == kStateClean && (incompatible & kNeedsRecovery) == 0 &&
              counted_errors == 0 && first_orphan == 0 && !check_is_due(bytes) && checksum_is_right(bytes);
  return out;
}

Result<std::optional<ExtSuperblock>> read_ext_superblock(const std::string& device) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "open " + device);
  ExtSuperblockBytes bytes{};
  const ssize_t n = ::pread(fd.get(), bytes.data(), bytes.size(), kOffset);
  if (n < 0) return fail_errno(errno, "read the superblock of " + device);
  if (n != static_cast<ssize_t>(bytes.size())) return std::optional<ExtSuperblock>{};
  return parse_ext_superblock(bytes);
}

}  // namespace holdfast::block
