#include "egw-gateway/health/health.h"

#include <algorithm>

#include "common/base/text.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t kMostShown = 2000;  // bytes

}  // namespace

Health::Health(Logger& log, std::span<const Concern> needed) : log_(log) {
  for (const Concern& concern : needed) troubles_[concern] = "not looked at";
}

void Health::set(const Concern& concern, const std::string& trouble) {
  const std::string text = printable(trouble, kMostShown);
  const auto [there, first] = troubles_.try_emplace(concern, "");
  if (there->second == text) return;
  there->second = text;
  if (text.empty()) {
    log_.info("as it should be", {{"what", concern.name}});
  } else {
    log_.warning("not as it should be", {{"what", concern.name}, {"why", text}});
  }
}

bool Health::is_well(const Concern& concern) const {
  const auto found = troubles_.find(concern);
  return found != troubles_.end() && found->second.empty();
}

bool Health::ready() const { return first_trouble().empty(); }

std::string Health::first_trouble() const {
  const auto found = std::ranges::find_if(
      troubles_, [](const auto& entry) { return entry.first.for_ready && !entry.second.empty(); });
  return found == troubles_.end() ? "" : std::string(found->first.name) + ": " + found->second;
}

std::string Health::report() const {
  std::string out;
  for (const auto& [concern, trouble] : troubles_) {
    out.append(trouble.empty() ? "[+]" : "[-]").append(concern.name);
    out.append(trouble.empty() ? " ok" : " failed: ").append(trouble).append("\n");
  }
  return out;
}

}  // namespace holdfast::gateway
