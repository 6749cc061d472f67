#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::cni {

/// The CNI spec versions we speak, in their order.
enum class SpecVersion : std::uint8_t { k0_1_0, k0_2_0, k0_3_0, k0_3_1, k0_4_0, k1_0_0, k1_1_0 };

inline constexpr std::array kSupportedVersions = {
    SpecVersion::k0_1_0, SpecVersion::k0_2_0, SpecVersion::k0_3_0, SpecVersion::k0_3_1,
    SpecVersion::k0_4_0, SpecVersion::k1_0_0, SpecVersion::k1_1_0};
/// What a configuration without cniVersion means.
inline constexpr SpecVersion kDefaultVersion = SpecVersion::k0_1_0;
inline constexpr SpecVersion kNewestVersion = kSupportedVersions.back();

enum class Verb : std::uint8_t { kAdd, kDel, kCheck, kGc, kStatus, kVersion };

/// "1.1.0".
[[nodiscard]] std::string_view to_string(SpecVersion version);
/// Only the exact text of a version that we speak; "1.1" is not one.
[[nodiscard]] std::optional<SpecVersion> parse_version(std::string_view text);
/// "0.1.0, 0.2.0, ...".
[[nodiscard]] std::string list_versions();
/// {"cniVersion":"1.1.0","supportedVersions":[...]}: the answer to VERSION.
[[nodiscard]] std::string version_answer();

/// "ADD", as CNI_COMMAND has it.
[[nodiscard]] std::string_view to_string(Verb verb);
[[nodiscard]] std::optional<Verb> parse_verb(std::string_view text);
/// The first version that has the verb: CHECK 0.4.0, GC and STATUS 1.1.0, all others 0.1.0.
[[nodiscard]] SpecVersion first_version_with(Verb verb);

}  // namespace holdfast::cni
