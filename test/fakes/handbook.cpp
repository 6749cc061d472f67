#include "test/fakes/handbook.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string_view>

namespace holdfast::test {
namespace {

constexpr std::string_view kAnything = "…";

// All that stands in backquotes with a colon: what is no row of doctor's is like none that it prints.
std::vector<std::string> read_handbook() {
  std::ifstream file(HOLDFAST_TREE "/docs/failures.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  static const std::regex quoted("`([^`\n]*: [^`\n]*)`");
  std::vector<std::string> out;
  for (std::sregex_iterator found(text.begin(), text.end(), quoted), end; found != end; ++found) {
    out.push_back((*found)[1].str());
  }
  return out;
}

// Whether it begins with `pattern`, in which "…" is anything.
bool begins_like(std::string_view text, std::string_view pattern) {
  const std::size_t gap = pattern.find(kAnything);
  const std::string_view begin = pattern.substr(0, gap);
  if (!text.starts_with(begin)) return false;
  if (gap == std::string_view::npos) return true;
  text.remove_prefix(begin.size());
  const std::string_view rest = pattern.substr(gap + kAnything.size());
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (begins_like(text.substr(at), rest)) return true;
  }
  return false;
}

}  // namespace

bool is_in_handbook(const std::string& what, const std::string& detail) {
  static const std::vector<std::string> handbook = read_handbook();
  const std::string found = what + ": " + detail;
  return std::ranges::any_of(handbook, [&](const std::string& each) { return begins_like(found, each); });
}

std::vector<std::string> not_in_handbook(const std::string& printed) {
  static const std::regex row("(WRONG|[?][?]) +(.*?)  +(.*)");
  std::vector<std::string> out;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    const bool bad = std::regex_match(line, found, row);
    if (bad && !is_in_handbook(found[2].str(), found[3].str())) out.push_back(line);
  }
  return out;
}

}  // namespace holdfast::test
