#include "common/inspect/condition_page.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "common/base/text.h"

namespace holdfast {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::string_view kAllTheSame = " (ready all the same)";

IpAddress asked_at(const http::ListenAddress& place) {
  const bool everywhere =
      std::ranges::all_of(place.address.bytes(), [](std::uint8_t byte) { return byte == 0; });
  return everywhere ? IpAddress::v4({127, 0, 0, 1}) : place.address;
}

}  // namespace

std::vector<UnmetCondition> parse_unmet(std::string_view page) {
  constexpr std::string_view kUnmet = "[-]";
  std::vector<UnmetCondition> out;
  while (!page.empty()) {
    std::string_view line = take_until(page, '\n');
    if (!line.starts_with(kUnmet)) continue;
    line.remove_prefix(kUnmet.size());
    UnmetCondition one;
    one.type = take_until(line, ' ');
    static_cast<void>(take_until(line, ' '));  // "failed:" or "found:"
    one.ready_all_the_same = line.ends_with(kAllTheSame);
    if (one.ready_all_the_same) line.remove_suffix(kAllTheSame.size());
    one.why = line;
    out.push_back(std::move(one));
  }
  return out;
}

Result<WebPage> ask_page(Clock& clock, const http::ListenAddress& place, const std::string& path) {
  return read_page(clock, asked_at(place), place.port, path, kPatience);
}

ConditionPage ask_conditions(Clock& clock, const http::ListenAddress& place) {
  const Result<WebPage> page = ask_page(clock, place, "/readyz?verbose");
  ConditionPage out;
  if (!page) {
    out.silence = "it does not answer at " + asked_at(place).to_string() + " port " +
                  std::to_string(place.port) + " (" + page.error().message + "); see its log";
    return out;
  }
  out.ready = page->status == 200;
  out.unmet = parse_unmet(page->body);
  return out;
}

std::map<std::string, double> labelled_samples(std::string_view page, std::string_view name) {
  std::map<std::string, double> out;
  while (!page.empty()) {
    std::string_view line = take_until(page, '\n');
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    if (!line.starts_with('{')) continue;
    static_cast<void>(take_until(line, '"'));
    const std::string_view value = take_until(line, '"');
    if (!line.starts_with("} ")) continue;
    out[std::string(value)] = std::strtod(std::string(line.substr(2)).c_str(), nullptr);
  }
  return out;
}

}  // namespace holdfast
