#include "csi-disk/sim/scsi_bays.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <system_error>

#include "common/base/fd.h"
#include "common/base/text.h"
#include "csi-disk/sim/loop_device.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

fs::path target() { return "/sys/kernel/config/target"; }
fs::path hba() { return target() / "core" / "iblock_7777"; }
fs::path portal() { return target() / "loopback" / "naa.5001405d15c00000" / "tpgt_1"; }
fs::path lun_folder() { return portal() / "lun"; }
constexpr std::string_view kNexus = "naa.5001405d15c00001";
constexpr std::string_view kLun = "lun_";
constexpr int kMostLuns = 256;

Status put(const fs::path& file, std::string_view text) {
  const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  std::size_t written = 0;
  const int wrong = fd.valid() ? write_all(fd.get(), text, written) : errno;
  return wrong == 0 ? Status{} : Status(fail_errno(wrong, "write " + file.string()));
}

std::string line_of(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return std::string(trim(line));
}

Status make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? Status(fail_errno(error.value(), "make " + folder.string())) : Status{};
}

// A folder of configfs goes by rmdir, with what the kernel put into it.
Status remove_folder(const fs::path& folder) {
  if (::rmdir(folder.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "remove " + folder.string());
}

}  // namespace

Status ScsiBays::open() {
  std::error_code error;
  if (!fs::is_directory(target(), error)) {
    return fail(Code::kFailedPrecondition, target().string() +
                                               " is not there: mount configfs, and load target_core_mod, "
                                               "target_core_iblock and tcm_loop");
  }
  HOLDFAST_CHECK(make_folders(hba()));
  HOLDFAST_CHECK(make_folders(portal()));
  if (line_of(portal() / "nexus").empty()) return put(portal() / "nexus", kNexus);
  return {};
}

// Which disk is at which number. The kernel has links in a LUN's folder to the disk alone.
Result<std::map<std::string, int>> ScsiBays::luns() const {
  std::map<std::string, int> out;
  std::error_code error;
  for (const auto& lun : fs::directory_iterator(lun_folder(), error)) {
    const std::string name = lun.path().filename();
    int number = 0;
    if (!name.starts_with(kLun)) continue;
    std::from_chars(name.data() + kLun.size(), name.data() + name.size(), number);
    std::error_code unreadable;
    const fs::path disk = fs::read_symlink(lun.path() / "disk", unreadable);
    out[unreadable ? "" : disk.filename().string()] = number;
  }
  if (error) return fail_errno(error.value(), "read " + lun_folder().string());
  return out;
}

// "/sys/class/scsi_device/3:0:1:5/device". "address" tells the first three.
Result<fs::path> ScsiBays::scsi_device(int lun) const {
  const std::string address = line_of(portal() / "address");
  if (address.empty()) return fail(Code::kUnavailable, "the SCSI target has no address");
  return fs::path("/sys/class/scsi_device") / (address + ":" + std::to_string(lun)) / "device";
}

Result<std::map<std::string, std::string>> ScsiBays::plugged() {
  HOLDFAST_TRY(const auto numbers, luns());
  std::map<std::string, std::string> out;
  for (const auto& [serial, lun] : numbers) {
    if (serial.empty()) continue;
    HOLDFAST_TRY(const fs::path device, scsi_device(lun));
    out[serial] = "";
    std::error_code error;
    for (const auto& block : fs::directory_iterator(device / "block", error)) {
      out[serial] = "/dev/" + block.path().filename().string();
    }
  }
  return out;
}

Status ScsiBays::make_backstore(const std::string& serial, const fs::path& image) const {
  const fs::path folder = hba() / serial;
  std::error_code error;
  if (fs::is_directory(folder, error) && line_of(folder / "enable") == "1") return {};
  HOLDFAST_TRY(const auto loops, loops_below(images_));
  const auto found = loops.find(serial);
  std::string loop = found == loops.end() ? "" : found->second;
  if (loop.empty()) {
    HOLDFAST_TRY(loop, add_loop(image));
  }
  HOLDFAST_CHECK(make_folders(folder));
  HOLDFAST_CHECK(put(folder / "control", "udev_path=" + loop));
  HOLDFAST_CHECK(put(folder / "udev_path", loop));
  HOLDFAST_CHECK(put(folder / "enable", "1"));
  return put(folder / "wwn" / "vpd_unit_serial", serial);
}

Status ScsiBays::make_lun(const std::string& serial) const {
  HOLDFAST_TRY(const auto there, luns());
  if (there.contains(serial)) return {};
  for (int number = 0; number < kMostLuns; ++number) {
    const fs::path folder = lun_folder() / (std::string(kLun) + std::to_string(number));
    std::error_code error;
    if (fs::is_symlink(folder / "disk", error)) continue;
    HOLDFAST_CHECK(make_folders(folder));
    if (::symlink((hba() / serial).c_str(), (folder / "disk").c_str()) == 0) return {};
    return fail_errno(errno, "plug disk " + serial + " in");
  }
  return fail(Code::kResourceExhausted, "there are as many disks as there are numbers for them");
}

Status ScsiBays::plug(const std::string& serial, const fs::path& image, const std::string& /*node*/) {
  HOLDFAST_CHECK(make_backstore(serial, image));
  return make_lun(serial);
}

Status ScsiBays::unplug(const std::string& serial) {
  HOLDFAST_TRY(const auto there, plugged());
  const auto found = there.find(serial);
  if (found != there.end() && !found->second.empty()) {
    HOLDFAST_TRY(const bool held, is_device_held(found->second));
    if (held) return fail(Code::kFailedPrecondition, found->second + " is mounted or held");
  }
  HOLDFAST_TRY(const auto numbers, luns());
  if (const auto lun = numbers.find(serial); lun != numbers.end()) {
    const fs::path folder = lun_folder() / (std::string(kLun) + std::to_string(lun->second));
    if (::unlink((folder / "disk").c_str()) != 0) return fail_errno(errno, "pull disk " + serial + " out");
    HOLDFAST_CHECK(remove_folder(folder));
  }
  HOLDFAST_CHECK(remove_folder(hba() / serial));
  HOLDFAST_TRY(const auto loops, loops_below(images_));
  const auto loop = loops.find(serial);
  return loop == loops.end() ? Status{} : remove_loop(loop->second);
}

Status ScsiBays::resize(const std::string& serial) {
  HOLDFAST_TRY(const auto loops, loops_below(images_));
  const auto loop = loops.find(serial);
  if (loop == loops.end()) return {};
  HOLDFAST_CHECK(resize_loop(loop->second));
  HOLDFAST_TRY(const auto numbers, luns());
  const auto lun = numbers.find(serial);
  if (lun == numbers.end()) return {};
  HOLDFAST_TRY(const fs::path device, scsi_device(lun->second));
  return put(device / "rescan", "1");
}

}  // namespace holdfast::disk
