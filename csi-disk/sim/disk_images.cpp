#include "csi-disk/sim/disk_images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <system_error>

#include "common/base/fd.h"

namespace holdfast::disk {
namespace {

constexpr mode_t kMode = 0600;

Result<Fd> open_image(const std::filesystem::path& image, int flags) {
  Fd fd(::open(image.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!fd.valid()) return fail_errno(errno, "open " + image.string());
  return fd;
}

Status set_size(const Fd& fd, std::uint64_t bytes, const std::filesystem::path& image) {
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0) return {};
  return fail_errno(errno, "make " + image.string() + " " + std::to_string(bytes) + " bytes long");
}

// The data from `at` to `end`, of the same place in both.
Status copy_data(const Fd& from, const Fd& to, off_t at, off_t end) {
  while (at < end) {
    off_t in = at;
    off_t out = at;
    const ssize_t size =
        ::copy_file_range(from.get(), &in, to.get(), &out, static_cast<std::size_t>(end - at), 0);
    if (size < 0) return fail_errno(errno, "copy an image");
    if (size == 0) return {};
    at += size;
  }
  return {};
}

Status keep_only_in(const std::filesystem::path& folder, const std::set<std::string>& names) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".img" || names.contains(entry.path().stem().string())) continue;
    std::filesystem::remove(entry.path(), error);
    if (error) return fail_errno(error.value(), "remove " + entry.path().string());
  }
  return error ? Status(fail_errno(error.value(), "read " + folder.string())) : Status{};
}

}  // namespace

Status DiskImages::open() {
  std::error_code error;
  for (const char* const name : {"disks", "snapshots"}) {
    std::filesystem::create_directories(folder_ / name, error);
    if (error) return fail_errno(error.value(), "make " + (folder_ / name).string());
  }
  return {};
}

std::filesystem::path DiskImages::disk(const std::string& serial) const {
  return folder_ / "disks" / (serial + ".img");
}
std::filesystem::path DiskImages::snapshot(const std::string& id) const {
  return folder_ / "snapshots" / (id + ".img");
}

Status DiskImages::create(const std::filesystem::path& image, std::uint64_t bytes) {
  HOLDFAST_TRY(const Fd fd, open_image(image, O_RDWR | O_CREAT | O_TRUNC));
  return set_size(fd, bytes, image);
}

Status DiskImages::copy(const std::filesystem::path& from, const std::filesystem::path& to,
                        std::uint64_t bytes) {
  HOLDFAST_TRY(const Fd source, open_image(from, O_RDONLY));
  HOLDFAST_TRY(const Fd target, open_image(to, O_RDWR | O_CREAT | O_TRUNC));
  HOLDFAST_CHECK(set_size(target, bytes, to));
  off_t at = 0;
  for (;;) {
    at = ::lseek(source.get(), at, SEEK_DATA);
    if (at < 0) return errno == ENXIO ? Status{} : Status(fail_errno(errno, "read " + from.string()));
    const off_t end = ::lseek(source.get(), at, SEEK_HOLE);
    if (end < 0) return fail_errno(errno, "read " + from.string());
    HOLDFAST_CHECK(copy_data(source, target, at, end));
    at = end;
  }
}

Status DiskImages::grow(const std::filesystem::path& image, std::uint64_t bytes) {
  struct ::stat now {};
  if (::lstat(image.c_str(), &now) != 0) {
    return fail(Code::kDataLoss, image.string() + " is not there, and the disk is");
  }
  if (static_cast<std::uint64_t>(now.st_size) >= bytes) return {};
  HOLDFAST_TRY(const Fd fd, open_image(image, O_RDWR));
  return set_size(fd, bytes, image);
}

Status DiskImages::keep_only(const std::set<std::string>& serials,
                             const std::set<std::string>& snapshots) const {
  HOLDFAST_CHECK(keep_only_in(folder_ / "disks", serials));
  return keep_only_in(folder_ / "snapshots", snapshots);
}

}  // namespace holdfast::disk
