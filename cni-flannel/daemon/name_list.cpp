#include "cni-flannel/daemon/name_list.h"

#include <algorithm>

namespace holdfast::flannel {

std::string name_list(std::span<const std::string> names, std::size_t most) {
  std::string out;
  for (const std::string& name : names.first(std::min(most, names.size()))) {
    out += (out.empty() ? "" : ", ") + name;
  }
  return names.size() > most ? out + " and " + std::to_string(names.size() - most) + " more" : out;
}

}  // namespace holdfast::flannel
