#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::test {

enum class CelKind : std::uint8_t {
  kLiteral,   ///< value
  kList,      ///< parts: its elements
  kName,      ///< text
  kMember,    ///< parts[0] . text
  kIndex,     ///< parts[0] [ parts[1] ]
  kCall,      ///< text ( parts... ); of a method its object is parts[0]
  kNot,       ///< ! parts[0]
  kOperator,  ///< parts[0] text parts[1]
  kChoice,    ///< parts[0] ? parts[1] : parts[2]
};

struct CelNode {
  CelKind kind = CelKind::kLiteral;
  std::string text{};
  nlohmann::json value{};
  std::vector<CelNode> parts{};
};

/// Errors: kInvalidArgument, with what was not understood.
[[nodiscard]] Result<CelNode> parse_cel(std::string_view expression);

}  // namespace holdfast::test
