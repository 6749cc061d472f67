#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cni-flannel/inspect/overlay_report.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

enum class Verdict : std::uint8_t {
  kWell,
  kDoubtful,  ///< works today, or may be meant so
  kWrong,     ///< pods cannot reach each other, or will not after the next restart
};

/// One thing that was looked at.
struct Finding {
  Verdict verdict = Verdict::kWell;
  std::string what;    ///< "MTU of flannel.1"
  std::string detail;  ///< what was found, and for one that is not well the cure
};

struct DoctorPlaces {
  OverlayPlaces overlay;
  std::filesystem::path subnet_file = "/run/flannel/subnet.env";
};

/// Looks at what makes pods of this node reach those of others: flanneld, its files, devices and peers, MTU,
/// forwarding and reverse-path filters, address conflicts, the clock. Changes nothing and sends nothing. What
/// cannot be looked at is a finding too.
[[nodiscard]] std::vector<Finding> examine(Files& files, Clock& clock, nl::Socket& socket,
                                           const DoctorPlaces& places);

}  // namespace holdfast::flannel
