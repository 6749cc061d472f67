#include "common/csi/names.h"

#include <algorithm>

namespace holdfast::csi {
namespace {

constexpr std::size_t kMostDriverName = 63;
constexpr std::size_t kMostTopologyValue = 63;
constexpr std::size_t kMostNodeName = 253;  // a domain's
constexpr std::string_view kSignsOfLabel = "-_.";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool consists_of(std::string_view text, std::string_view signs, std::size_t most) {
  return !text.empty() && text.size() <= most && is_alphanumeric(text.front()) &&
         is_alphanumeric(text.back()) && std::ranges::all_of(text, [signs](char c) {
           return is_alphanumeric(c) || signs.find(c) != std::string_view::npos;
         });
}

}  // namespace

bool is_driver_name(std::string_view text) { return consists_of(text, "-.", kMostDriverName); }

bool is_topology_value(std::string_view text) { return consists_of(text, kSignsOfLabel, kMostTopologyValue); }

Flags::Set to_driver_name(std::string& target) {
  return [&target](const std::string& value) -> Status {
    if (!is_driver_name(value)) {
      return fail(Code::kInvalidArgument,
                  "is not a driver's name (letters, digits, '-', '.', at most 63, a letter or digit at both "
                  "ends)");
    }
    target = value;
    return {};
  };
}

Flags::Set to_node_name(std::string& target) {
  return [&target](const std::string& value) -> Status {
    if (!value.empty() && !consists_of(value, kSignsOfLabel, kMostNodeName)) {
      return fail(Code::kInvalidArgument,
                  "is not a node's name (letters, digits, '-', '_', '.', at most 253, a letter or digit at "
                  "both ends)");
    }
    target = value;
    return {};
  };
}

}  // namespace holdfast::csi
