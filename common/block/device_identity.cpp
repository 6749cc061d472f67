#include "common/block/device_identity.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <system_error>

#include "common/base/fd.h"
#include "common/base/text.h"

namespace holdfast::block {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSectorBytes = 512;  // of sysfs, whatever the disk's is

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

// Whole disks but RAM disks.
std::vector<std::string> names_but_ram(const fs::path& folder) {
  std::vector<std::string> names = names_in(folder);
  std::erase_if(names,
                [](const std::string& name) { return name.starts_with("ram") || name.starts_with("zram"); });
  return names;
}

std::string read_bytes(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::uint64_t number_in(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "8:16" of the file `dev`.
dev_t device_number(std::string_view text) {
  const auto major_number = static_cast<unsigned>(number_in(take_until(text, ':')));
  return makedev(major_number, static_cast<unsigned>(number_in(text)));
}

std::string first_not_empty(std::initializer_list<std::string> texts) {
  const auto found = std::ranges::find_if(texts, [](const std::string& text) { return !text.empty(); });
  return found == texts.end() ? "" : *found;
}

// PARTUUID=... in a partition's uevent file.
std::string partition_uuid_in(std::string_view uevent) {
  constexpr std::string_view kKey = "PARTUUID=";
  while (!uevent.empty()) {
    const std::string_view line = take_until(uevent, '\n');
    if (!line.starts_with(kKey)) continue;
    std::string uuid(line.substr(kKey.size()));
    std::ranges::transform(uuid, uuid.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return uuid;
  }
  return {};
}

// Names in /dev/disk/by-id that lead to the device file of this name.
std::vector<std::string> links_to(const fs::path& by_id, const std::string& kernel_name) {
  std::vector<std::string> links = names_in(by_id);
  std::erase_if(links, [&](const std::string& link) {
    std::error_code error;
    return fs::read_symlink(by_id / link, error).filename() != kernel_name;
  });
  return links;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

}  // namespace

std::string parse_serial_page(std::string_view page) {
  constexpr std::size_t kHeader = 4;
  constexpr char kSerialPage = '\x80';
  if (page.size() < kHeader || page[1] != kSerialPage) return {};
  const std::size_t length = static_cast<std::size_t>(static_cast<unsigned char>(page[2])) * 256 +
                             static_cast<unsigned char>(page[3]);
  if (page.size() < kHeader + length) return {};
  std::string_view text = page.substr(kHeader, length);
  text = text.substr(0, text.find('\0'));
  return std::string(trim(text));
}

std::string DeviceDirectory::read_line(const fs::path& file) const {
  const std::string bytes = read_bytes(file);
  return std::string(trim(std::string_view(bytes).substr(0, bytes.find('\n'))));
}

// SCSI; NVMe and others.
std::string DeviceDirectory::wwn_of(const fs::path& disk) const {
  return first_not_empty({read_line(disk / "device/wwid"), read_line(disk / "wwid")});
}

// SCSI; virtio; NVMe.
std::string DeviceDirectory::serial_of(const fs::path& disk) const {
  return first_not_empty({parse_serial_page(read_bytes(disk / "device/vpd_pg80")), read_line(disk / "serial"),
                          read_line(disk / "device/serial")});
}

Result<DeviceIdentity> DeviceDirectory::identify_name(const std::string& kernel_name) const {
  const fs::path folder = sys_ / "class/block" / kernel_name;
  std::error_code error;
  if (!is_plain_name(kernel_name) || !fs::is_directory(folder, error)) {
    return fail(Code::kNotFound, "there is no block device " + kernel_name);
  }
  DeviceIdentity out;
  out.kernel_name = kernel_name;
  out.number = device_number(read_line(folder / "dev"));
  out.size_bytes = number_in(read_line(folder / "size")) * kSectorBytes;
  out.read_only = read_line(folder / "ro") == "1";
  out.holders = names_in(folder / "holders");
  out.stands_on = names_in(folder / "slaves");
  out.mapper_uuid = read_line(folder / "dm/uuid");
  out.by_id = links_to(dev_ / "disk/by-id", kernel_name);

  fs::path disk = folder;
  if (fs::exists(folder / "partition", error)) {
    disk = fs::canonical(folder, error).parent_path();
    out.whole_disk = disk.filename().string();
    out.partition_uuid = partition_uuid_in(read_bytes(folder / "uevent"));
  }
  out.rotational = read_line(disk / "queue/rotational") == "1";
  out.removable = read_line(disk / "removable") == "1";
  out.wwn = wwn_of(disk);
  out.serial = serial_of(disk);
  out.vendor = read_line(disk / "device/vendor");
  out.model = read_line(disk / "device/model");
  for (const std::string& name : names_in(folder)) {
    if (name.starts_with(kernel_name) && fs::exists(folder / name / "partition", error)) {
      out.partitions.push_back(name);
    }
  }
  return out;
}

Result<DeviceIdentity> DeviceDirectory::identify(const std::string& path) const {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, "look at " + path);
  if (!S_ISBLK(info.st_mode)) return fail(Code::kInvalidArgument, path + " is not a block device");
  auto name = name_of(info.st_rdev);
  if (!name) return tl::unexpected(std::move(name).error().within(path));
  return identify_name(*name);
}

Result<std::string> DeviceDirectory::name_of(dev_t number) const {
  const std::string text = std::to_string(major(number)) + ":" + std::to_string(minor(number));
  std::error_code error;
  const fs::path link = fs::read_symlink(sys_ / "dev/block" / text, error);
  if (error) return fail(Code::kNotFound, "there is no block device of the number " + text);
  return link.filename().string();
}

Result<DeviceMarks> DeviceDirectory::marks_of(const std::string& kernel_name) const {
  const fs::path folder = sys_ / "class/block" / kernel_name;
  std::error_code error;
  if (!is_plain_name(kernel_name) || !fs::is_directory(folder, error)) {
    return fail(Code::kNotFound, "there is no block device " + kernel_name);
  }
  DeviceMarks out;
  out.kernel_name = kernel_name;
  out.number = device_number(read_line(folder / "dev"));
  out.wwn = wwn_of(folder);
  out.serial = serial_of(folder);
  out.backing_file = read_line(folder / "loop/backing_file");
  out.sequence = number_in(read_line(folder / "diskseq"));
  return out;
}

Result<DeviceMarks> DeviceDirectory::marks_of(dev_t number) const {
  HOLDFAST_TRY(const std::string name, name_of(number));
  return marks_of(name);
}

// Of the many loop devices that a machine has ready, those without a file have no folder `loop`.
std::vector<std::string> DeviceDirectory::disk_names() const {
  std::vector<std::string> names = names_but_ram(sys_ / "block");
  std::erase_if(names, [this](const std::string& name) {
    std::error_code error;
    return name.starts_with("loop") && !fs::exists(sys_ / "block" / name / "loop", error);
  });
  return names;
}

Result<std::vector<DeviceIdentity>> DeviceDirectory::list_disks() const {
  std::vector<DeviceIdentity> disks;
  for (const std::string& name : names_but_ram(sys_ / "block")) {
    auto disk = identify_name(name);
    if (!disk) continue;  // it was taken out meanwhile
    if (name.starts_with("loop") && disk->size_bytes == 0) continue;
    disks.push_back(*std::move(disk));
  }
  return disks;
}

Result<bool> is_in_use(const std::string& device) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK));
  if (fd.valid()) return false;
  if (errno == EBUSY) return true;
  return fail_errno(errno, "open " + device);
}

Result<bool> is_locked(const std::string& device) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "open " + device);
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return false;
  if (errno == EWOULDBLOCK) return true;
  return fail_errno(errno, "lock " + device);
}

}  // namespace holdfast::block
