#include "csi-lvm/nrm/plan.h"

namespace holdfast::nrm {

std::string_view to_string(Action action) {
  switch (action) {
    case Action::kKept:
      return "kept";
    case Action::kCreate:
      return "create";
    case Action::kExtend:
      return "extend";
    case Action::kAdopt:
      return "adopt";
    case Action::kWait:
      return "wait";
    case Action::kMount:
      return "mount";
    case Action::kSkip:
      return "skipped";
    case Action::kMissing:
      return "missing";
    case Action::kDegraded:
      return "degraded";
    case Action::kRefuse:
      return "refused";
    case Action::kFailed:
      return "failed";
  }
  return "?";
}

bool is_trouble(Action action) {
  return action == Action::kMissing || action == Action::kDegraded || action == Action::kRefuse ||
         action == Action::kFailed;
}

}  // namespace holdfast::nrm
