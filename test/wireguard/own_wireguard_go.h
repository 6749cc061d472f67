#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace holdfast::test {

/// A program in `folder` that is wireguard-go with the folder for its /run, so that its sockets, at
/// FOLDER/wireguard, are no other test's.
inline std::string own_wireguard_go(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "program";
  std::ofstream(path) << "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind " + folder.native() +
                             " /run; exec /usr/bin/wireguard-go \"$0\"' \"$1\"\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path.native();
}

}  // namespace holdfast::test
