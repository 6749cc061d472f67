#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/exec.h"
#include "common/base/result.h"

namespace holdfast::block {

/// What libblkid calls a device whose content is encrypted, and so what is wanted of one in decide_format().
inline constexpr std::string_view kEncryptedType = "crypto_LUKS";

/// What the encryption itself takes of a device, at its beginning.
inline constexpr std::uint64_t kEncryptionBytes = std::uint64_t{4} << 20;

/// Where the content of an encrypted device is clear while it is open: "/dev/mapper/MAPPING".
[[nodiscard]] std::string clear_path(std::string_view mapping);

/// Devices that can be read with a passphrase only. `mapping` is the name that the clear device has in
/// device-mapper: letters, digits and "+_.-", 127 at most. A passphrase is any bytes, one at least. The
/// tests' one of a driver only remembers.
class DiskEncryption {
 public:
  DiskEncryption() = default;
  DiskEncryption(const DiskEncryption&) = delete;
  DiskEncryption& operator=(const DiskEncryption&) = delete;
  virtual ~DiskEncryption() = default;

  /// Whatever is there cannot be read any more afterwards: ask decide_format() first.
  virtual Status format(const std::string& device, const std::string& uuid, const std::string& passphrase,
                        std::chrono::milliseconds deadline) = 0;

  /// One that is open already succeeds, whatever the passphrase. Errors: kPermissionDenied when the
  /// passphrase is another; kAlreadyExists when the mapping is of another device; kFailedPrecondition when
  /// the device is not encrypted.
  virtual Status open(const std::string& device, const std::string& mapping, const std::string& passphrase,
                      std::chrono::milliseconds deadline) = 0;

  /// One that is not open succeeds; a mapping of anything but encryption is left alone, and succeeds. Errors:
  /// kUnavailable while it is in use.
  virtual Status close(const std::string& mapping, std::chrono::milliseconds deadline) = 0;

  /// Makes the clear device as large as the encrypted one allows, while it is in use. Needs no passphrase.
  virtual Status grow(const std::string& mapping, std::chrono::milliseconds deadline) = 0;
};

/// LUKS2, by cryptsetup(8) run without a shell: its key derivation takes memory and a second of time, and a
/// dying disk holds it, which is a child's to bear and not a daemon's. The passphrase goes by standard input.
/// What it writes about a device takes kEncryptionBytes. Errors of all: kNotFound when cryptsetup is
/// not installed; kDeadlineExceeded; kInternal with what it wrote. Stateless; may be used from any thread,
/// one device at a time.
class LuksEncryption final : public DiskEncryption {
 public:
  /// `executor` outlives it.
  explicit LuksEncryption(Executor& executor) : executor_(executor) {}

  Status format(const std::string& device, const std::string& uuid, const std::string& passphrase,
                std::chrono::milliseconds deadline) override;
  Status open(const std::string& device, const std::string& mapping, const std::string& passphrase,
              std::chrono::milliseconds deadline) override;
  Status close(const std::string& mapping, std::chrono::milliseconds deadline) override;
  Status grow(const std::string& mapping, std::chrono::milliseconds deadline) override;

 private:
  Result<CommandResult> run(const std::string& program, std::vector<std::string> words,
                            const std::string& input, std::chrono::milliseconds deadline);

  Executor& executor_;
};

}  // namespace holdfast::block
