#include "common/block/encryption.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/fd.h"
#include "common/base/text.h"

namespace holdfast::block {
namespace {

namespace fs = std::filesystem;

// cryptsetup(8), "RETURN CODES".
constexpr int kWrongPassphrase = 2;

// "253:4", as sysfs names devices.
std::string number_text(dev_t number) {
  return std::to_string(major(number)) + ":" + std::to_string(minor(number));
}

// Of what is no block device, or not there: "".
std::string number_of(const std::string& device) {
  struct stat info {};
  const bool is_device = ::stat(device.c_str(), &info) == 0 && S_ISBLK(info.st_mode);
  return is_device ? number_text(info.st_rdev) : "";
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// A clear device that is there; one whose making was cut off stands on nothing, and has no node in /dev
// either.
struct OpenMapping {
  std::string encrypts;  // the number of the device below, "7:0"; "": none
  bool of_encryption = false;
};

// Source: linux/dm-ioctl.h, DM_DEV_STATUS. Until a device has its first table sysfs does not show it.
std::optional<OpenMapping> look_at_mapping(const std::string& mapping) {
  const Fd control(::open("/dev/mapper/control", O_RDWR | O_CLOEXEC));
  dm_ioctl asked{};
  asked.version[0] = DM_VERSION_MAJOR;
  asked.data_size = sizeof asked;
  if (!control.valid() || mapping.size() >= sizeof asked.name) return std::nullopt;
  mapping.copy(asked.name, mapping.size());
  if (::ioctl(control.get(), DM_DEV_STATUS, &asked) != 0) return std::nullopt;
  OpenMapping out;
  out.of_encryption = std::string_view(asked.uuid).starts_with("CRYPT-");
  const fs::path folder = fs::path("/sys/dev/block") / number_text(asked.dev) / "slaves";
  std::error_code error;
  for (const fs::directory_entry& below : fs::directory_iterator(folder, error)) {
    out.encrypts = first_line(below.path() / "dev");
  }
  return out;
}

Status failed(const std::string& what, const CommandResult& result) {
  const std::string said(trim(result.errors.empty() ? result.output : result.errors));
  return fail(Code::kInternal, what + ": exit status " + std::to_string(result.exit_status) + ": " +
                                   (said.empty() ? "it wrote nothing" : said));
}

}  // namespace

std::string clear_path(std::string_view mapping) { return "/dev/mapper/" + std::string(mapping); }

Result<CommandResult> LuksEncryption::run(const std::string& program, std::vector<std::string> words,
                                          const std::string& input, std::chrono::milliseconds deadline) {
  const std::string path = find_system_program(program);
  if (path.empty()) {
    return fail(Code::kNotFound,
                "the program " + program + ", which encrypted volumes need, is not installed");
  }
  words.insert(words.begin(), path);
  // Without udev: libdevmapper would wait for a daemon that a container does not reach.
  return executor_.run({.argv = std::move(words),
                        .environment = {"LC_ALL=C", "DM_DISABLE_UDEV=1"},
                        .input = input,
                        .deadline = deadline});
}

Status LuksEncryption::format(const std::string& device, const std::string& uuid,
                              const std::string& passphrase, std::chrono::milliseconds deadline) {
  HOLDFAST_TRY(const CommandResult done,
               run("cryptsetup",
                   {"luksFormat", "--batch-mode", "--type=luks2", "--uuid=" + uuid,
                    // Together twice the metadata and the keys are 4 MiB; by default it would be 16.
                    "--luks2-metadata-size=16k", "--luks2-keyslots-size=4064k",
                    // Of what a passphrase is stretched by: little enough for a box with 64 MiB to spare.
                    "--pbkdf=argon2id", "--pbkdf-memory=32768", "--pbkdf-parallel=1", "--iter-time=500",
                    "--key-file=-", device},
                   passphrase, deadline));
  return done.succeeded() ? Status{} : failed("encrypting " + device, done);
}

Status LuksEncryption::open(const std::string& device, const std::string& mapping,
                            const std::string& passphrase, std::chrono::milliseconds deadline) {
  if (const std::optional<OpenMapping> there = look_at_mapping(mapping)) {
    if (there->of_encryption && there->encrypts == number_of(device)) return {};
    if (!there->of_encryption || !there->encrypts.empty()) {
      return fail(Code::kAlreadyExists, clear_path(mapping) + " is there already, and is not of " + device);
    }
    HOLDFAST_CHECK(close(mapping, deadline));
  }
  // The key stays with the device, so that it grows without the passphrase.
  HOLDFAST_TRY(
      const CommandResult done,
      run("cryptsetup", {"open", "--type=luks", "--disable-keyring", "--key-file=-", device, mapping},
          passphrase, deadline));
  if (done.succeeded()) return {};
  if (done.exit_status == kWrongPassphrase) {
    return fail(Code::kPermissionDenied, "the passphrase does not open " + device);
  }
  return failed("opening the encrypted " + device, done);
}

Status LuksEncryption::close(const std::string& mapping, std::chrono::milliseconds deadline) {
  const std::optional<OpenMapping> there = look_at_mapping(mapping);
  if (!there || !there->of_encryption) return {};
  // Not by cryptsetup, which does not know what to do with one that was cut off in its making.
  HOLDFAST_TRY(const CommandResult done, run("dmsetup", {"remove", "--retry", mapping}, "", deadline));
  if (done.succeeded() || !look_at_mapping(mapping)) return {};
  return fail(Code::kUnavailable, clear_path(mapping) + " is in use: " + std::string(trim(done.errors)));
}

Status LuksEncryption::grow(const std::string& mapping, std::chrono::milliseconds deadline) {
  HOLDFAST_TRY(const CommandResult done,
               run("cryptsetup", {"resize", "--batch-mode", "--disable-keyring", mapping}, "", deadline));
  return done.succeeded() ? Status{} : failed("growing " + clear_path(mapping), done);
}

}  // namespace holdfast::block
