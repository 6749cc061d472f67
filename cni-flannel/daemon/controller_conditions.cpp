#include "cni-flannel/daemon/controller_conditions.h"

#include <utility>

namespace holdfast::flannel {

Result<std::vector<Condition>> decode_controller_conditions(const JsonObject& object) {
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(const JsonObject cluster, status["cluster"].object_or_empty());
  HOLDFAST_TRY(const std::vector<JsonField> fields, cluster["conditions"].array_or_empty());
  std::vector<Condition> out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(Condition condition, decode_condition(field));
    out.push_back(std::move(condition));
  }
  return out;
}

}  // namespace holdfast::flannel
