#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::block {

/// Offsets and lengths of reads and zeroing are multiples of this, but at a device's end, whose size may be a
/// multiple of 512 only. It is a multiple of every sector size in use.
inline constexpr std::uint64_t kAlignment = 4096;

/// Memory that a device can be read into past the page cache: aligned to kAlignment. Freed with the object.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t bytes);
  [[nodiscard]] std::span<std::byte> span() const { return {bytes_.get(), size_}; }

 private:
  struct Frees {
    void operator()(std::byte* bytes) const noexcept;
  };
  std::unique_ptr<std::byte, Frees> bytes_;
  std::size_t size_;
};

/// Whether there is nothing but zeros.
[[nodiscard]] bool all_zero(std::span<const std::byte> bytes);

/// A block device as a row of bytes. The tests' one is a map of bytes in which places can be made bad
/// (test/block/fake_block_device.h). Errors carry the errno, and name the device and the offset.
class BlockDevice {
 public:
  BlockDevice() = default;
  BlockDevice(const BlockDevice&) = delete;
  BlockDevice& operator=(const BlockDevice&) = delete;
  virtual ~BlockDevice() = default;

  /// How errors call it, "/dev/vdb".
  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
  /// Of a logical sector: 512 or 4096. Partition tables count in it.
  [[nodiscard]] virtual std::uint32_t sector_bytes() const = 0;

  /// Fills all of `into` from the medium, never from a cache. `into` is aligned memory. Errors: errno of
  /// pread(2), EIO for a bad sector; reading beyond the end is kOutOfRange.
  virtual Status read(std::uint64_t offset, std::span<std::byte> into) = 0;
  /// `from` is aligned memory. Errors: errno of pwrite(2); writing beyond the end is kOutOfRange.
  virtual Status write(std::uint64_t offset, std::span<const std::byte> from) = 0;
  /// Afterwards this range reads as zeros; the storage below may be given back. Errors: errno.
  virtual Status zero(std::uint64_t offset, std::uint64_t length) = 0;
  /// What was written and zeroed survives a power cut from here on.
  virtual Status flush() = 0;
};

enum class Access : std::uint8_t {
  kRead,       ///< only looks; a mounted device can be looked at too
  kExclusive,  ///< to write: nobody has it mounted, holds it or writes to it (O_EXCL)
};

/// The real one, over O_DIRECT.
class SystemBlockDevice final : public BlockDevice {
 public:
  /// `path` may be a link (/dev/disk/by-id/...). Errors: errno of open(2): kNotFound, kUnavailable (EBUSY:
  /// the device is in use, kExclusive only); kInvalidArgument when it is no block device.
  [[nodiscard]] static Result<std::unique_ptr<SystemBlockDevice>> open(const std::string& path,
                                                                       Access access);

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t size_bytes() const override { return size_bytes_; }
  [[nodiscard]] std::uint32_t sector_bytes() const override { return sector_bytes_; }
  /// Of the device that was opened, whatever its path leads to since.
  [[nodiscard]] dev_t number() const { return number_; }
  Status read(std::uint64_t offset, std::span<std::byte> into) override;
  Status write(std::uint64_t offset, std::span<const std::byte> from) override;
  /// By releasing the range where the device promises that it reads as zeros then, else by writing zeros.
  /// Source: fallocate(2) with FALLOC_FL_PUNCH_HOLE on a block device; BLKZEROOUT. Never BLKDISCARD, after
  /// which a device may return anything.
  Status zero(std::uint64_t offset, std::uint64_t length) override;
  Status flush() override;

 private:
  SystemBlockDevice(std::string name, Fd fd, dev_t number, std::uint64_t size_bytes,
                    std::uint32_t sector_bytes);

  std::string name_;
  Fd fd_;
  dev_t number_;
  std::uint64_t size_bytes_;
  std::uint32_t sector_bytes_;
  bool can_release_ = true;  // until the device says that it cannot
};

}  // namespace holdfast::block
