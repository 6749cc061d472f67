#include "common/block/filesystem.h"

#include <sys/random.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include "common/base/text.h"
#include "common/block/block_device.h"
#include "common/block/ext_superblock.h"

namespace holdfast::block {
namespace {

constexpr std::chrono::seconds kVersionDeadline{10};
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// The option -X of `words` is taken out, and its value returned: mke2fs heeds only the last of several.
std::string take_option(std::vector<std::string>& words, std::string_view option) {
  std::string value;
  for (auto it = words.begin(); it != words.end();) {
    if (!it->starts_with(option)) {
      ++it;
      continue;
    }
    const bool apart = *it == option && it + 1 != words.end();
    value += ',' + (apart ? *(it + 1) : it->substr(option.size()));
    it = words.erase(it, it + (apart ? 2 : 1));
  }
  return value;
}

std::vector<std::string> ext_words(const FileSystemSpec& spec, Version tool, Version kernel) {
  std::vector<std::string> user = spec.options;
  std::string features;
  // Both are known to mke2fs since 1.47.
  if (tool >= Version{1, 47} && kernel < Version{5, 15}) features += ",^orphan_file";
  if (tool >= Version{1, 47} && spec.legacy) features += ",^metadata_csum_seed";
  features += take_option(user, "-O");
  // A discard of a whole disk takes minutes, and inode tables are zeroed after the mount.
  const std::string extended = "nodiscard" + take_option(user, "-E");
  // -F: also over what a mkfs that was cut off has left; not over a mounted file system.
  std::vector<std::string> words{"-q", "-F",      "-t", std::string(to_string(spec.type)),
                                 "-U", spec.uuid, "-E", extended};
  if (!features.empty()) words.insert(words.end(), {"-O", features.substr(1)});
  words.insert(words.end(), user.begin(), user.end());
  return words;
}

std::vector<std::string> xfs_words(const FileSystemSpec& spec, Version tool, Version kernel) {
  std::vector<std::string> words{"-q", "-f", "-K", "-m", "uuid=" + spec.uuid};
  struct Feature {
    const char* option;
    std::string name;
    Version since_tool;
    Version since_kernel;
  };
  const Feature features[] = {{"-m", "bigtime", {5, 10}, {5, 10}},
                              {"-m", "inobtcount", {5, 10}, {5, 10}},
                              {"-i", "nrext64", {5, 19}, {6, 5}},
                              {"-i", "exchange", {6, 10}, {6, 10}},
                              {"-n", "parent", {6, 10}, {6, 10}}};
  for (const Feature& feature : features) {
    const bool asked = std::ranges::any_of(spec.options, [&](const std::string& word) {
      return word.find(feature.name + "=") != std::string::npos;  // mkfs.xfs refuses to be told twice
    });
    if (!asked && tool >= feature.since_tool && kernel < feature.since_kernel) {
      words.insert(words.end(), {feature.option, feature.name + "=0"});
    }
  }
  words.insert(words.end(), spec.options.begin(), spec.options.end());
  return words;
}

const char* mkfs_name(FsType type) {
  switch (type) {
    case FsType::kXfs:
      return "mkfs.xfs";
    case FsType::kVfat:
      return "mkfs.vfat";
    case FsType::kExt3:
    case FsType::kExt4:
      break;
  }
  return "mke2fs";
}

// The words before a device, which end with it, so that the name of a device is never taken for an option.
Status check_device(const std::string& device) {
  if (!device.starts_with('/')) {
    return fail(Code::kInvalidArgument, "'" + device + "' is not the absolute path of a device");
  }
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string said(const CommandResult& result) {
  const std::string_view text = trim(result.errors.empty() ? result.output : result.errors);
  // mkfs.xfs goes on with all that it can be told.
  const std::string_view why = trim(text.substr(0, text.find("\nUsage:")));
  return why.empty() ? "it wrote nothing" : std::string(why);
}

tl::unexpected<Error> failed(const std::string& program, const std::string& device,
                             const CommandResult& result) {
  const std::string end = result.signal != 0 ? "signal " + std::to_string(result.signal)
                                             : "exit status " + std::to_string(result.exit_status);
  return fail(Code::kInternal, program + " " + device + ": " + end + ": " + said(result));
}

}  // namespace

Version find_version(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) continue;
    Version version;
    const char* end = text.data() + text.size();
    const auto major = std::from_chars(text.data() + i, end, version.major);
    if (major.ec == std::errc{} && major.ptr != end && *major.ptr == '.') {
      const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
      if (minor.ec == std::errc{}) return version;
    }
    i = static_cast<std::size_t>(major.ptr - text.data());
  }
  return {};
}

Version running_kernel() {
  utsname names{};
  return ::uname(&names) == 0 ? find_version(names.release) : Version{};
}

Status check_kernel(Version kernel) {
  if (kernel >= kOldestKernel) return {};
  const auto text = [](Version version) {
    return std::to_string(version.major) + "." + std::to_string(version.minor);
  };
  return fail(Code::kFailedPrecondition, "Linux " + text(kernel) +
                                             " runs on this machine, and volumes need Linux " +
                                             text(kOldestKernel) +
                                             " or later: an older one does not count what is discarded of a "
                                             "disk (/sys/block/*/stat), so that a disk that was looked at is "
                                             "not known again. Boot a newer kernel, or keep volumes off this "
                                             "node: kubectl label node NODE storage.holdfast.dev/none=");
}

std::optional<int> refuse_old_kernel(std::string_view program, Logger& log) {
  const Status served = check_kernel(running_kernel());
  if (served) return std::nullopt;
  log.error(std::string(program) + " cannot serve here", {{"error", served.error().message}});
  return kKernelRefused;
}

std::string new_uuid() {
  std::array<unsigned char, 16> bytes{};
  // Never fails for so few bytes once the machine has booted, and waits until then.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::terminate();
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0fU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3fU) | 0x80U);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes[i] >> 4U];
    text += kDigits[bytes[i] & 0x0fU];
  }
  return text;
}

std::string uuid_as_found(FsType type, const std::string& uuid) {
  if (type != FsType::kVfat) return uuid;
  std::string text = uuid.substr(0, 4) + "-" + uuid.substr(4, 4);
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::uint64_t least_bytes(FsType type) { return type == FsType::kXfs ? 300 * kMiB : 2 * kMiB; }

Status check_size(FsType type, std::uint64_t bytes) {
  const std::uint64_t least = least_bytes(type);
  if (bytes >= least) return {};
  return fail(Code::kOutOfRange, std::string(to_string(type)) + " needs at least " + std::to_string(least) +
                                     " bytes, the volume has " + std::to_string(bytes));
}

std::vector<std::string> mkfs_words(const FileSystemSpec& spec, Version tool, Version kernel) {
  if (spec.legacy) kernel = std::min(kernel, kOldestKernel);
  switch (spec.type) {
    case FsType::kXfs:
      return xfs_words(spec, tool, kernel);
    case FsType::kVfat: {
      // -I: on a whole disk too.
      std::vector<std::string> words{"-I", "-i", spec.uuid.substr(0, 8)};
      words.insert(words.end(), spec.options.begin(), spec.options.end());
      return words;
    }
    case FsType::kExt3:
    case FsType::kExt4:
      break;
  }
  return ext_words(spec, tool, kernel);
}

bool wants_check(FsType type, bool omit_fsck, bool read_only) {
  return type != FsType::kXfs && !omit_fsck && !read_only;
}

Result<CheckOutcome> judge_check(const CommandResult& result, const std::string& device) {
  constexpr int kMended = 1;
  constexpr int kReboot = 2;
  constexpr int kLeft = 4;
  if (result.signal != 0 || (result.exit_status & ~(kMended | kReboot | kLeft)) != 0) {
    return failed("fsck of", device, result);
  }
  if ((result.exit_status & kLeft) != 0) {
    return fail(Code::kFailedPrecondition, "the file system on " + device +
                                               " has errors that only a person can mend (e2fsck " + device +
                                               "): " + said(result));
  }
  return result.exit_status == 0 ? CheckOutcome::kClean : CheckOutcome::kMended;
}

Result<CommandResult> FileSystems::run(const std::string& program, std::vector<std::string> words,
                                       std::chrono::milliseconds deadline) {
  const std::string path = find_system_program(program);
  if (path.empty()) return fail(Code::kNotFound, "the program " + program + " is not installed");
  words.insert(words.begin(), path);
  return executor_.run(
      {.argv = std::move(words), .environment = {"LC_ALL=C"}, .input = "", .deadline = deadline});
}

Status FileSystems::make(const std::string& device, const FileSystemSpec& spec,
                         std::chrono::milliseconds deadline) {
  constexpr int kRefused = 1;
  HOLDFAST_CHECK(check_device(device));
  HOLDFAST_CHECK(check_mkfs_options(spec.type, spec.options));
  // Closed again, as mkfs opens it the same way.
  HOLDFAST_TRY(auto opened, SystemBlockDevice::open(device, Access::kExclusive));
  HOLDFAST_CHECK(check_size(spec.type, opened->size_bytes()));
  opened.reset();
  const std::string program = mkfs_name(spec.type);
  HOLDFAST_TRY(const CommandResult version, run(program, {"-V"}, kVersionDeadline));
  std::vector<std::string> words =
      mkfs_words(spec, find_version(version.output + version.errors), running_kernel());
  words.push_back(device);
  HOLDFAST_TRY(const CommandResult made, run(program, std::move(words), deadline));
  if (made.succeeded()) return {};
  tl::unexpected<Error> error = failed(program, device, made);
  if (spec.options.empty()) return error;
  error.value().message += "; mkfsOptions were '" + joined(spec.options) + "'";
  // It judges its options before it writes, and by the device's size, which nobody knew before.
  if (made.signal == 0 && made.exit_status == kRefused) error.value().code = Code::kInvalidArgument;
  return error;
}

Result<CheckOutcome> FileSystems::check(const std::string& device, FsType type,
                                        std::chrono::milliseconds deadline) {
  HOLDFAST_CHECK(check_device(device));
  if (type == FsType::kXfs) return CheckOutcome::kNotChecked;
  const bool vfat = type == FsType::kVfat;
  if (!vfat) {
    HOLDFAST_TRY(const std::optional<ExtSuperblock> super, read_ext_superblock(device));
    if (super && super->clean) return CheckOutcome::kClean;
  }
  const auto result = run(vfat ? "fsck.vfat" : "e2fsck", {vfat ? "-a" : "-p", device}, deadline);
  if (!result && result.error().code == Code::kNotFound) return CheckOutcome::kNotChecked;
  if (!result) return tl::unexpected(result.error());
  return judge_check(*result, device);
}

Status FileSystems::change_xfs_uuid(const std::string& device, const std::string& uuid,
                                    std::chrono::milliseconds deadline) {
  HOLDFAST_CHECK(check_device(device));
  HOLDFAST_TRY(auto opened, SystemBlockDevice::open(device, Access::kExclusive));
  opened.reset();
  // As xfs_admin(8) does, which is a shell script.
  HOLDFAST_TRY(const CommandResult result,
               run("xfs_db", {"-x", "-p", "xfs_admin", "-c", "uuid " + uuid, device}, deadline));
  const std::string text = result.output + result.errors;
  if (text.find("metadata changes in a log") != std::string::npos) {
    return fail(Code::kFailedPrecondition,
                device + " was not unmounted cleanly; mount it once with nouuid, unmount it, and try again");
  }
  if (!result.succeeded() || text.find(uuid) == std::string::npos) return failed("xfs_db", device, result);
  return {};
}

}  // namespace holdfast::block
