#include "common/block/allow_format.h"

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/flags.h"
#include "common/base/text.h"
#include "common/block/blank_proof.h"
#include "common/block/block_device.h"
#include "common/block/wipe.h"

namespace holdfast::block {
namespace {

constexpr std::string_view kDevices = "/dev/";
constexpr std::string_view kById = "/dev/disk/by-id/";
constexpr std::string_view kWwn = "wwn:";
constexpr std::string_view kSerial = "serial:";
constexpr std::size_t kLongestLine = 4096;

struct CommandLine {
  std::string device{};
  bool lose_content = false;
  bool help = false;
};

void add_flags(Flags& flags, CommandLine& line) {
  flags.boolean("lose-content", "overwrite all of it with zeros", line.lose_content);
  flags.boolean("help", "this text", line.help);
}

std::string help() {
  CommandLine line;
  Flags flags;
  add_flags(flags, line);
  return "holdfast volume allow-format DEVICE [flags]\n\n"
         "Tells what a device of this node holds. With --lose-content all of it is overwritten with zeros, "
         "so "
         "that a\nvolume that was not formatted because of it is. DEVICE is /dev/GROUP/VOLUME, a name in "
         "/dev/disk/by-id, or\nwwn:... or serial:... of a disk.\n\n" +
         flags.help();
}

Result<CommandLine> parse(std::span<const std::string> arguments) {
  CommandLine line;
  std::vector<std::string> words;
  while (!arguments.empty() && !arguments.front().starts_with('-')) {
    words.push_back(arguments.front());
    arguments = arguments.subspan(1);
  }
  Flags flags;
  add_flags(flags, line);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (line.help) return line;
  constexpr std::size_t kWords = 3;
  if (words.size() != kWords || words[1] != "allow-format" || words[2].empty()) {
    return fail(Code::kInvalidArgument, "volume takes: allow-format DEVICE");
  }
  line.device = words[2];
  return line;
}

bool is_kernel_name(const std::string& path, const DeviceIdentity& device) {
  return std::filesystem::path(path).lexically_normal() == std::string(kDevices) + device.kernel_name;
}

Result<DeviceIdentity> find_by(const DeviceDirectory& directory, std::string_view prefix,
                               std::string DeviceIdentity::*mark, const std::string& name) {
  HOLDFAST_TRY(const std::vector<DeviceIdentity> disks, directory.list_disks());
  std::vector<DeviceIdentity> found;
  for (const DeviceIdentity& disk : disks) {
    if (!(disk.*mark).empty() && disk.*mark == name.substr(prefix.size())) found.push_back(disk);
  }
  if (found.size() == 1) return found.front();
  return found.empty() ? fail(Code::kNotFound, "this node has no disk " + name)
                       : fail(Code::kFailedPrecondition, "several disks of this node are " + name);
}

Result<DeviceIdentity> find(const DeviceDirectory& directory, const std::string& name) {
  if (name.starts_with(kWwn)) return find_by(directory, kWwn, &DeviceIdentity::wwn, name);
  if (name.starts_with(kSerial)) return find_by(directory, kSerial, &DeviceIdentity::serial, name);
  HOLDFAST_TRY(DeviceIdentity device, directory.identify(name));
  const std::string lasting = lasting_name(name, device);
  if (lasting == name) return device;
  return fail(Code::kInvalidArgument, name + " may be another disk after a boot: name it " + lasting);
}

Status check_unused(const DeviceIdentity& device, const MountPlaces& places, const std::string& path,
                    const Content& content) {
  const auto refuse = [&device](const std::string& why) {
    return fail(Code::kFailedPrecondition, device.kernel_name + " " + why);
  };
  if (!device.partitions.empty()) return refuse("has partitions: " + device.partitions.front());
  if (!device.holders.empty()) return refuse("is in use: " + device.holders.front() + " stands on it");
  HOLDFAST_TRY(const bool used, is_in_use(path));
  if (used) return refuse("is in use: it is mounted, or a program holds it");
  HOLDFAST_TRY(const bool locked, is_locked(path));
  if (locked) return refuse("is in use: a program has locked it");
  // A raw volume that a pod has is a bind of the device's node, which opens nothing.
  HOLDFAST_TRY(const std::vector<std::string> mounted, places(device.number));
  if (!mounted.empty()) return refuse("is in use: it is at " + mounted.front());
  const auto* const seen = std::get_if<Signature>(&content);
  if (seen != nullptr && seen->type == "LVM2_member")
    return refuse("is a physical volume of LVM's: take it out of its group first (vgreduce, pvremove)");
  return {};
}

Result<FormatAnswer> run(const DeviceDirectory& directory, const MountPlaces& places,
                         const CommandLine& line) {
  HOLDFAST_TRY(const DeviceIdentity device, find(directory, line.device));
  // The disk that was found, also where a name begins to lead elsewhere.
  const std::string path = std::string(kDevices) + device.kernel_name;
  HOLDFAST_TRY(auto opened, SystemBlockDevice::open(path, Access::kRead));
  if (opened->number() != device.number) return fail(Code::kUnavailable, path + " has just been exchanged");
  HOLDFAST_TRY(const Content content, look_at(*opened));
  FormatAnswer answer;
  answer.out = line.device + ": " + device.kernel_name + ", " + std::to_string(opened->size_bytes()) +
               " bytes, " + describe(content) + "\n";
  HOLDFAST_CHECK(check_unused(device, places, path, content));
  if (!line.lose_content) {
    answer.status = 1;
    answer.error = "nothing was changed; --lose-content overwrites all of it with zeros\n";
    return answer;
  }
  HOLDFAST_TRY(const auto written, SystemBlockDevice::open(path, Access::kExclusive));
  if (written->number() != device.number) return fail(Code::kUnavailable, path + " has just been exchanged");
  HOLDFAST_TRY(const WipeProgress wiped, wipe_whole(*written, 0, [] { return false; }));
  answer.out += std::to_string(wiped.next) + " bytes are zero\n";
  return answer;
}

}  // namespace

std::string lasting_name(const std::string& path, const DeviceIdentity& device) {
  if (!is_kernel_name(path, device)) return path;
  if (!device.by_id.empty()) return std::string(kById) + device.by_id.front();
  if (!device.whole_disk.empty()) return path;  // a WWN and a serial number are those of its disk
  if (!device.wwn.empty()) return std::string(kWwn) + device.wwn;
  if (!device.serial.empty()) return std::string(kSerial) + device.serial;
  return path;
}

FormatAnswer answer_volume_command(const DeviceDirectory& directory, const MountPlaces& places,
                                   std::span<const std::string> arguments) {
  const auto refuse = [](int status, const Error& error, const char* more) {
    return FormatAnswer{
        .status = status, .out = {}, .error = "holdfast: " + printable(error.message, kLongestLine) + more};
  };
  const Result<CommandLine> line = parse(arguments);
  if (!line) return refuse(2, line.error(), "; see holdfast volume --help\n");
  if (line->help) return {.status = 0, .out = help(), .error = {}};
  Result<FormatAnswer> answer = run(directory, places, *line);
  return answer ? *std::move(answer) : refuse(1, answer.error(), "\n");
}

}  // namespace holdfast::block
