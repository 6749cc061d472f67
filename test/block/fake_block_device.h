#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/block/block_device.h"

namespace holdfast::test {

/// A device in memory: of any size, as only what is not zero takes room. Its places can be made bad.
class FakeBlockDevice final : public block::BlockDevice {
 public:
  explicit FakeBlockDevice(std::uint64_t size_bytes, std::uint32_t sector_bytes = 512)
      : size_bytes_(size_bytes), sector_bytes_(sector_bytes) {}

  std::map<std::uint64_t, int> bad;  ///< errno of reading the block of 4096 that has this offset
  std::function<void()> before_read = [] {};
  std::uint64_t written_bytes = 0;  ///< by write()

  void put(std::uint64_t offset, std::string_view bytes);
  [[nodiscard]] bool zero_throughout() const { return blocks_.empty(); }
  [[nodiscard]] bool flushed() const { return flushed_; }

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t size_bytes() const override { return size_bytes_; }
  [[nodiscard]] std::uint32_t sector_bytes() const override { return sector_bytes_; }
  Status read(std::uint64_t offset, std::span<std::byte> into) override;
  Status write(std::uint64_t offset, std::span<const std::byte> from) override;
  Status zero(std::uint64_t offset, std::uint64_t length) override;
  Status flush() override;

 private:
  using Block = std::array<std::byte, block::kAlignment>;

  std::string name_ = "/dev/fake";
  std::uint64_t size_bytes_;
  std::uint32_t sector_bytes_;
  std::map<std::uint64_t, Block> blocks_;  // by offset
  bool flushed_ = true;
};

}  // namespace holdfast::test
