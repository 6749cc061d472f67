#include "common/block/blank_proof.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <blkid/blkid.h>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "common/block/proof_places.h"

namespace holdfast::block {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
constexpr Unreadable kNoMedium{0, ENOMEDIUM};  // a device without bytes is not a blank one

struct FreesProbe {
  void operator()(blkid_probe probe) const noexcept { ::blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, FreesProbe>;

std::optional<std::size_t> first_nonzero(std::span<const std::byte> bytes) {
  const auto found = std::ranges::find_if(bytes, [](std::byte b) { return b != std::byte{0}; });
  if (found == bytes.end()) return std::nullopt;
  return static_cast<std::size_t>(found - bytes.begin());
}

Unreadable unreadable(std::uint64_t offset, const Error& error) {
  return {offset, error.sys_errno != 0 ? error.sys_errno : EIO};
}

bool has_at(std::span<const std::byte> bytes, std::uint64_t offset, std::string_view magic) {
  return offset + magic.size() <= bytes.size() &&
         std::memcmp(bytes.data() + offset, magic.data(), magic.size()) == 0;
}

// What the piece of a device that begins at `begin` holds, as far as one look tells. Sources: the kernel's
// Documentation/filesystems/ext4/super.rst (s_magic), xfs_format.h (sb_magicnum), btrfs on-disk format.
std::string name_of_data(std::uint64_t device_bytes, std::uint64_t begin, std::span<const std::byte> piece) {
  constexpr std::uint64_t kExtMagic = 56;
  for (const std::uint64_t backup : ext_backup_superblocks(device_bytes)) {
    if (backup >= begin && backup < begin + piece.size() &&
        has_at(piece, backup - begin + kExtMagic, "\x53\xef")) {
      return "a backup superblock of ext2/3/4";
    }
  }
  if (has_at(piece, 0, "XFSB")) return "a secondary superblock of xfs";
  if (has_at(piece, 64, "_BHRfS_M")) return "a copy of a btrfs superblock";
  return "data of no known format";
}

// What was read of a device, as a file in memory of the device's size: only what is not zero takes room.
class Copy {
 public:
  static Result<Copy> make(std::uint64_t bytes) {
    Fd fd(::memfd_create("device", MFD_CLOEXEC));
    if (!fd.valid() || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
      return fail_errno(errno, "make a file in memory for " + std::to_string(bytes) + " bytes");
    }
    return Copy(std::move(fd));
  }

  Status put(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0) return fail_errno(errno, "keep what was read of a device");
      offset += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Copy(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

std::string value_of(blkid_probe probe, const char* name) {
  const char* value = nullptr;
  return ::blkid_probe_lookup_value(probe, name, &value, nullptr) == 0 ? value : "";
}

// What libblkid sees in the copy. nullopt: nothing.
Result<std::optional<Content>> probe_copy(const Copy& copy, std::uint32_t sector_bytes) {
  const Probe probe(::blkid_new_probe());
  if (!probe || ::blkid_probe_set_device(probe.get(), copy.fd(), 0, 0) != 0 ||
      ::blkid_probe_set_sectorsize(probe.get(), sector_bytes) != 0 ||
      ::blkid_probe_enable_superblocks(probe.get(), 1) != 0 ||
      // A superblock whose checksum is wrong is a damaged file system, not none.
      ::blkid_probe_set_superblocks_flags(
          probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_BADCSUM) != 0 ||
      ::blkid_probe_enable_partitions(probe.get(), 1) != 0) {
    return fail(Code::kInternal, "libblkid cannot be set up");
  }
  constexpr int kNothing = 1;
  constexpr int kSeveral = -2;
  const int answer = ::blkid_do_safeprobe(probe.get());
  if (answer == kNothing) return std::nullopt;
  if (answer == kSeveral) return Content(HoldsData{0, "signatures of several formats"});
  if (answer != 0) return fail(Code::kInternal, "libblkid failed");
  std::string type = value_of(probe.get(), "TYPE");
  if (type.empty()) type = value_of(probe.get(), "PTTYPE");
  if (type.empty()) return std::nullopt;
  return Content(Signature{std::move(type), value_of(probe.get(), "UUID")});
}

// Reads the places in turn and keeps what is not zero. Tells the first of it, or the place that cannot be
// read.
Result<std::optional<Content>> read_places(BlockDevice& device, std::span<const Extent> places, Copy& copy) {
  const AlignedBuffer buffer(kPiece);
  std::optional<Content> found;
  for (const Extent& place : places) {
    for (std::uint64_t offset = place.offset; offset < place.end(); offset += kPiece) {
      const auto piece =
          buffer.span().first(static_cast<std::size_t>(std::min(kPiece, place.end() - offset)));
      if (const Status done = device.read(offset, piece); !done) {
        return Content(unreadable(offset, done.error()));
      }
      if (all_zero(piece)) continue;
      HOLDFAST_CHECK(copy.put(offset, piece));
      if (!found) {
        found = HoldsData{offset + *first_nonzero(piece), name_of_data(device.size_bytes(), offset, piece)};
      }
    }
  }
  return found;
}

}  // namespace

std::string describe(const Content& content) {
  struct Describer {
    std::string operator()(const Blank& blank) const {
      return blank.throughout ? "is zero throughout" : "is blank";
    }
    std::string operator()(const Signature& seen) const {
      return "holds " + seen.type + (seen.uuid.empty() ? "" : " " + seen.uuid);
    }
    std::string operator()(const HoldsData& data) const {
      return "holds " + data.what + " at byte " + std::to_string(data.offset);
    }
    std::string operator()(const Unreadable& bad) const {
      const char* text = ::strerrordesc_np(bad.sys_errno);
      return "cannot be read at byte " + std::to_string(bad.offset) + " (" +
             (text != nullptr ? text : "errno " + std::to_string(bad.sys_errno)) + ")";
    }
  };
  return std::visit(Describer{}, content);
}

Result<Content> look_at(BlockDevice& device) {
  if (device.size_bytes() == 0) return Content(kNoMedium);
  HOLDFAST_TRY(Copy copy, Copy::make(device.size_bytes()));
  std::vector<Extent> places = proof_places(device.size_bytes());
  // Both ends first: mostly they tell.
  if (places.size() > 2) std::rotate(places.begin() + 1, places.end() - 1, places.end());
  const auto ends = std::span(places).first(std::min<std::size_t>(places.size(), 2));
  HOLDFAST_TRY(const std::optional<Content> at_ends, read_places(device, ends, copy));
  if (at_ends && std::holds_alternative<Unreadable>(*at_ends)) return *at_ends;
  if (at_ends) {
    HOLDFAST_TRY(const std::optional<Content> known, probe_copy(copy, device.sector_bytes()));
    if (known && std::holds_alternative<Signature>(*known)) return *known;
  }
  HOLDFAST_TRY(const std::optional<Content> between,
               read_places(device, std::span(places).subspan(ends.size()), copy));
  if (between && std::holds_alternative<Unreadable>(*between)) return *between;
  if (!at_ends && !between) return Content(Blank{});
  HOLDFAST_TRY(const std::optional<Content> known, probe_copy(copy, device.sector_bytes()));
  if (known) return *known;
  return at_ends ? *at_ends : *between;
}

ZeroScan whole_device_is_zero(BlockDevice& device, std::uint64_t from,
                              const std::function<bool()>& cancelled) {
  const AlignedBuffer buffer(kPiece);
  const std::uint64_t size = device.size_bytes();
  if (size == 0) return {.next = 0, .found = kNoMedium};
  // A place to resume at that cannot be one proves nothing about what is below it.
  ZeroScan scan{.next = from <= size && from % kPiece == 0 ? from : 0, .found = {}};
  while (scan.next < size) {
    const auto piece = buffer.span().first(static_cast<std::size_t>(std::min(kPiece, size - scan.next)));
    if (const Status done = device.read(scan.next, piece); !done) {
      scan.found = unreadable(scan.next, done.error());
      return scan;
    }
    if (!all_zero(piece)) {
      scan.found = HoldsData{scan.next + *first_nonzero(piece), name_of_data(size, scan.next, piece)};
      return scan;
    }
    scan.next += piece.size();
    if (scan.next < size && cancelled()) return scan;
  }
  scan.found = Blank{.throughout = true};
  return scan;
}

}  // namespace holdfast::block
