#pragma once

#include <cstdlib>
#include <string>

#include "test/catch.h"

namespace holdfast::nas::test {

/// Of the guest's NFS server an address beside those that others use, and what takes its life and gives it
/// back (test/kernel/guest/csi_nas_volumes.sh).
inline constexpr const char* kMortal = "10.9.0.3";

inline void drop_packets(bool drop) {
  for (const char* side : {"OUTPUT -d ", "INPUT -s "}) {
    std::string command("iptables -w -");
    command.append(drop ? "A " : "D ").append(side).append(kMortal).append(" -j DROP");
    REQUIRE(std::system(command.c_str()) == 0);
  }
}

}  // namespace holdfast::nas::test
