#include "csi-disk/sim/disk_images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <system_error>

#include "common/base/files.h"

namespace holdfast::disk {
namespace {

constexpr mode_t kMode = 0600;
constexpr mode_t kFolderMode = 0700;

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

Status find_others(const std::filesystem::path& folder, const std::set<std::string>& names,
                   std::vector<std::filesystem::path>& into) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const bool image = entry.path().extension() == ".img";
    if (image && !names.contains(entry.path().stem().string())) into.push_back(entry.path());
  }
  return error ? Status(fail_errno(error.value(), "read " + folder.string())) : Status{};
}

// What a call that was cut off has left under that name is none of anybody's.
std::filesystem::path unfinished(const std::filesystem::path& image) { return image.string() + ".new"; }

Status finish(const std::filesystem::path& image) {
  return PosixFiles().rename_new(unfinished(image), image);
}

// From one image, open, into the other, up to its last byte.
Status copy_all(const Fd& source, const Fd& target, const std::filesystem::path& from) {
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

}  // namespace

Status DiskImages::open() {
  std::error_code error;
  for (const char* const name : {"disks", "snapshots"}) {
    std::filesystem::create_directories(folder_ / name, error);
    if (error) return fail_errno(error.value(), "make " + (folder_ / name).string());
  }
  if (lock_.valid()) return {};
  Result<Fd> lock = PosixFiles().lock(folder_ / "lock", std::chrono::milliseconds(100));
  if (lock) {
    lock_ = *std::move(lock);
    return {};
  }
  if (lock.error().code != Code::kUnavailable) return tl::unexpected(std::move(lock).error());
  return fail(Code::kUnavailable, "another simulator has its disks in " + folder_.string() +
                                      ": end it, or give one of them another --devices");
}

std::filesystem::path DiskImages::disk(const std::string& serial) const {
  return folder_ / "disks" / (serial + ".img");
}
std::filesystem::path DiskImages::snapshot(const std::string& id) const {
  return folder_ / "snapshots" / (id + ".img");
}

Status DiskImages::create(const std::filesystem::path& image, std::uint64_t bytes) {
  HOLDFAST_TRY(const Fd fd, open_image(unfinished(image), O_RDWR | O_CREAT | O_TRUNC));
  HOLDFAST_CHECK(set_size(fd, bytes, image));
  return finish(image);
}

Status DiskImages::copy(const std::filesystem::path& from, const std::filesystem::path& to,
                        std::uint64_t bytes) {
  HOLDFAST_TRY(const Fd source, open_image(from, O_RDONLY));
  HOLDFAST_TRY(const Fd target, open_image(unfinished(to), O_RDWR | O_CREAT | O_TRUNC));
  HOLDFAST_CHECK(set_size(target, bytes, to));
  HOLDFAST_CHECK(copy_all(source, target, from));
  return finish(to);
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

Result<std::vector<std::filesystem::path>> DiskImages::others(const std::set<std::string>& serials,
                                                              const std::set<std::string>& snapshots) const {
  std::vector<std::filesystem::path> out;
  HOLDFAST_CHECK(find_others(folder_ / "disks", serials, out));
  HOLDFAST_CHECK(find_others(folder_ / "snapshots", snapshots, out));
  return out;
}

Status DiskImages::remove(const std::filesystem::path& image) { return PosixFiles().remove(image); }

Result<std::filesystem::path> DiskImages::set_aside(const std::filesystem::path& image) const {
  constexpr int kMostOfOneName = 1000;
  PosixFiles files;
  const std::filesystem::path folder = folder_ / "lost+found";
  HOLDFAST_CHECK(files.make_folders(folder, kFolderMode));
  std::filesystem::path to = folder / image.filename();
  for (int n = 1; n <= kMostOfOneName; ++n) {
    const Status moved = files.rename_new(image, to);
    if (moved) return to;
    if (moved.error().code != Code::kAlreadyExists) return tl::unexpected(moved.error());
    to = folder / (image.filename().string() + "." + std::to_string(n));
  }
  return fail(Code::kResourceExhausted, folder.string() + " is full of images called so: make room");
}

}  // namespace holdfast::disk
