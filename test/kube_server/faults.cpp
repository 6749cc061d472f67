#include "test/kube_server/faults.h"

#include <algorithm>

namespace holdfast::test {

std::optional<Fault> Faults::take(const std::string& verb, const std::string& plural) {
  const auto found = std::ranges::find_if(faults_, [&](const Fault& fault) {
    return (fault.verb.empty() || fault.verb == verb) && (fault.plural.empty() || fault.plural == plural);
  });
  if (found == faults_.end()) {
    return std::nullopt;
  }
  const Fault fault = *found;
  if (found->times > 0 && --found->times == 0) {
    faults_.erase(found);
  }
  return fault;
}

}  // namespace holdfast::test
