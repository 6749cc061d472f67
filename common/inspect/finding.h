#pragma once

#include <cstdint>
#include <string>

namespace holdfast {

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

}  // namespace holdfast
