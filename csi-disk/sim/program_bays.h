#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/exec.h"
#include "csi-disk/sim/disk_bays.h"

namespace holdfast::disk {

/// Disks that a program plugs into machines: into guests, say, of which this machine is none.
///
///     list                      a line "SERIAL DEVICE" for each disk that is plugged in
///     plug SERIAL IMAGE NODE    into the machine that the cloud calls NODE; succeeds if it is there
///     unplug SERIAL             succeeds if it is nowhere; status 16: the machine uses it
///     resize SERIAL             its image has grown
///
/// Any other status than 0 is a failure, whose words are what it wrote to stderr.
class ProgramBays final : public DiskBays {
 public:
  /// Of `unplug`; errno's EBUSY.
  static constexpr int kInUse = 16;

  /// `executor` outlives it. `environment` is the program's.
  ProgramBays(Executor& executor, std::filesystem::path program, std::vector<std::string> environment)
      : executor_(executor), program_(std::move(program)), environment_(std::move(environment)) {}

  Result<std::map<std::string, std::string>> plugged() override;
  Status plug(const std::string& serial, const std::filesystem::path& image,
              const std::string& node) override;
  Status unplug(const std::string& serial) override;
  Status resize(const std::string& serial) override;

 private:
  Result<std::string> run(std::vector<std::string> words);

  Executor& executor_;
  std::filesystem::path program_;
  std::vector<std::string> environment_;
};

}  // namespace holdfast::disk
