#include "common/base/link_name.h"

#include <net/if.h>

#include <algorithm>
#include <cctype>

namespace holdfast {

std::string_view fault_of_link_name(std::string_view name) {
  const auto is_refused = [](unsigned char c) {
    return c == '/' || c == ':' || c == '%' || std::isspace(c) != 0 || std::iscntrl(c) != 0;
  };
  if (name.empty()) return "is empty";
  if (name.size() >= IFNAMSIZ) return "is longer than 15 bytes";
  if (name == "." || name == "..") return "must not be . or ..";
  if (std::any_of(name.begin(), name.end(), is_refused)) {
    return "must not have '/', ':', '%', white space or control characters";
  }
  return {};
}

}  // namespace holdfast
