#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "common/block/device_identity.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::test {

/// A /sys and a /dev of files.
struct FakeMachine {
  void put(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((folder / file).parent_path());
    std::ofstream(folder / file, std::ios::binary) << text;
  }
  void link(const std::string& at, const std::string& to) const {
    std::filesystem::create_directories((folder / at).parent_path());
    std::filesystem::create_symlink(to, folder / at);
  }
  /// A disk, or a partition of one ("sda/sda1").
  void put_device(const std::string& path, const std::string& number, const std::string& sectors) const {
    const std::string name = std::filesystem::path(path).filename().string();
    put("sys/devices/" + path + "/dev", number + "\n");
    put("sys/devices/" + path + "/size", sectors + "\n");
    put("sys/devices/" + path + "/ro", "0\n");
    link("sys/class/block/" + name, "../../devices/" + path);
    link("sys/dev/block/" + number, "../../devices/" + path);
    if (path == name) link("sys/block/" + name, "../devices/" + path);
  }
  /// Takes a disk away, its partitions and its device file with it.
  void pull(const std::string& name, const std::string& number) const {
    for (const std::string& path : {"sys/class/block/" + name, "sys/dev/block/" + number, "sys/block/" + name,
                                    "sys/devices/" + name, "dev/" + name}) {
      std::filesystem::remove_all(folder / path);
    }
  }
  [[nodiscard]] block::DeviceIdentity identity(const std::string& name) const {
    return directory.identify_name(name).value();
  }

  TemporaryFolder folder;
  block::DeviceDirectory directory{folder / "sys", folder / "dev"};
};

}  // namespace holdfast::test
