#include "common/cloud/sim/faults.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "common/base/json.h"

namespace holdfast::cloud::sim {
namespace {

constexpr std::array<std::string_view, 2> kWhens{"before", "after"};
constexpr std::array<std::string_view, 5> kHows{"drop", "hang", "error", "throttle", "refuse"};
constexpr std::int64_t kMostCalls = 1'000'000;

template <class Enum, std::size_t Count>
Result<Enum> one_of(const JsonField& field, const std::array<std::string_view, Count>& names) {
  HOLDFAST_TRY(const std::string word, field.string_or(std::string(names.front())));
  const auto* const found = std::ranges::find(names, word);
  if (found == names.end()) return field.refuse("is not known");
  return static_cast<Enum>(found - names.begin());
}

Result<Fault> parse_fault(const JsonObject& object) {
  Fault fault;
  HOLDFAST_TRY(fault.action, object["action"].string_or(""));
  HOLDFAST_TRY(fault.when, one_of<Fault::When>(object["when"], kWhens));
  HOLDFAST_TRY(fault.how, one_of<Fault::How>(object["how"], kHows));
  HOLDFAST_TRY(fault.code, object["code"].string_or(""));
  HOLDFAST_TRY(const std::int64_t skip, object["skip"].integer_or(0, 0, kMostCalls));
  HOLDFAST_TRY(const std::int64_t times, object["times"].integer_or(1, -1, kMostCalls));
  fault.skip = static_cast<int>(skip);
  fault.times = static_cast<int>(times);
  const bool early = fault.how == Fault::How::kThrottle || fault.how == Fault::How::kRefuse;
  if (early && fault.when == Fault::When::kAfter) return object["when"].refuse("does not go with this `how`");
  return fault;
}

}  // namespace

std::optional<Fault> Faults::hit(const std::string& action) {
  for (Fault& fault : faults_) {
    if ((!fault.action.empty() && fault.action != action) || fault.times == 0) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    if (fault.times > 0) --fault.times;
    return fault;
  }
  return std::nullopt;
}

bool Faults::pending() const {
  return std::ranges::any_of(faults_, [](const Fault& fault) { return fault.times != 0; });
}

Result<std::vector<Fault>> parse_faults(const nlohmann::json& document) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, JsonField(&document, "faults").array());
  std::vector<Fault> faults;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject object, field.object());
    HOLDFAST_TRY(Fault fault, parse_fault(object));
    faults.push_back(std::move(fault));
  }
  return faults;
}

}  // namespace holdfast::cloud::sim
