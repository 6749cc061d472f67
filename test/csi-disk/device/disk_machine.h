#pragma once

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "csi-disk/device/device_files.h"
#include "csi-disk/device/device_finder.h"
#include "test/block/fake_machine.h"

namespace holdfast::disk::test {

/// Device files that are plain ones, each of the number that is told for it.
class FakeDeviceFiles final : public DeviceFiles {
 public:
  Result<OpenDevice> open(const std::string& path) override {
    std::exchange(before_next, [](auto&&) {})(path);
    std::error_code error;
    const auto alias = aliases.find(path);
    const std::string real =
        std::filesystem::canonical(alias == aliases.end() ? path : alias->second, error).native();
    const std::scoped_lock lock(mutex_);
    const auto found = numbers_.find(real);
    if (error || found == numbers_.end()) return fail_errno(ENOENT, "open " + path);
    return OpenDevice{.fd = Fd(::open(real.c_str(), O_RDONLY | O_CLOEXEC)), .number = found->second};
  }
  void set(const std::string& path, dev_t number) {
    const std::scoped_lock lock(mutex_);
    numbers_[path] = number;
  }
  void forget(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    numbers_.erase(path);
  }

  std::function<void(const std::string&)> before_next = [](auto&&) {};  ///< what happens in between, once
  std::map<std::string, std::string> aliases;                           ///< paths, and where they lead

 private:
  std::mutex mutex_;                      // guards numbers_
  std::map<std::string, dev_t> numbers_;  // by path
};

/// A node whose disks come and go. virtio: the serial number is the file "serial".
struct DiskMachine {
  static constexpr unsigned kMajor = 7;  // as FakeMounter has it

  /// A disk of 1 GiB.
  void attach(const std::string& name, const std::string& serial, unsigned minor_number) {
    const std::string number = std::to_string(kMajor) + ":" + std::to_string(minor_number);
    machine.put_device(name, number, "2097152");
    if (!serial.empty()) machine.put("sys/devices/" + name + "/serial", serial + "\n");
    machine.put("sys/devices/" + name + "/diskseq", std::to_string(++comings) + "\n");
    add_file(name, minor_number);
  }
  void add_partition(const std::string& disk, const std::string& name, unsigned minor_number) {
    machine.put_device(disk + "/" + name, std::to_string(kMajor) + ":" + std::to_string(minor_number),
                       "2095104");
    machine.put("sys/devices/" + disk + "/" + name + "/partition", "1\n");
    add_file(name, minor_number);
  }
  void detach(const std::string& name, unsigned minor_number) {
    machine.pull(name, std::to_string(kMajor) + ":" + std::to_string(minor_number));
    files.forget(dev(name));
  }
  void link(const std::string& name, const std::string& to) const {
    machine.link("dev/disk/by-id/" + name, "../../" + to);
  }
  [[nodiscard]] std::string dev(const std::string& name) const {
    return (machine.folder / "dev" / name).native();
  }
  [[nodiscard]] DeviceRules rules() const {
    return {.links = {"virtio-{serial}"}, .by_id = machine.folder / "dev/disk/by-id"};
  }

  holdfast::test::FakeMachine machine;
  FakeDeviceFiles files;
  DeviceNews news;
  unsigned comings = 0;  ///< the kernel's count of disks that have come
  SystemClock clock;
  DeviceFinder finder{{machine.directory, files, news, clock, machine.folder / "dev"}, rules()};

 private:
  void add_file(const std::string& name, unsigned minor_number) {
    machine.put("dev/" + name, "");
    files.set(std::filesystem::canonical(dev(name)).native(), makedev(kMajor, minor_number));
  }
};

}  // namespace holdfast::disk::test
