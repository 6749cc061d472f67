#include "cni-flannel/plugin/spec_version.h"

#include <utility>

namespace holdfast::cni {
namespace {

constexpr std::array<std::string_view, kSupportedVersions.size()> kVersionNames = {
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

constexpr std::array<std::string_view, 6> kVerbNames = {"ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"};

/// Each version between `quote`s, joined by `separator`.
std::string join_versions(std::string_view quote, std::string_view separator) {
  std::string joined;
  for (const std::string_view name : kVersionNames) {
    if (!joined.empty()) joined += separator;
    joined.append(quote).append(name).append(quote);
  }
  return joined;
}

/// The enumerator whose name is at the same place in `names`.
template <class E, std::size_t N>
std::optional<E> find_name(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names.at(i) == text) return static_cast<E>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(SpecVersion version) {
  return kVersionNames.at(static_cast<std::size_t>(version));
}

std::optional<SpecVersion> parse_version(std::string_view text) {
  return find_name<SpecVersion>(kVersionNames, text);
}

std::string list_versions() { return join_versions("", ", "); }

std::string version_answer() {
  std::string answer = R"({"cniVersion":")";
  answer.append(to_string(kNewestVersion)).append(R"(","supportedVersions":[)");
  return answer + join_versions("\"", ",") + "]}";
}

std::string_view to_string(Verb verb) { return kVerbNames.at(static_cast<std::size_t>(verb)); }

std::optional<Verb> parse_verb(std::string_view text) { return find_name<Verb>(kVerbNames, text); }

SpecVersion first_version_with(Verb verb) {
  switch (verb) {
    case Verb::kCheck:
      return SpecVersion::k0_4_0;
    case Verb::kGc:
    case Verb::kStatus:
      return SpecVersion::k1_1_0;
    case Verb::kAdd:
    case Verb::kDel:
    case Verb::kVersion:
      break;
  }
  return SpecVersion::k0_1_0;
}

}  // namespace holdfast::cni
