#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::test {

/// The token after a page that ended with `last`, of a list at `version`, in the form that API servers use:
/// base64 (URL alphabet, no padding) of {"v":"meta.k8s.io/v1","rv":217,"start":"/node-3\u0000"}.
[[nodiscard]] std::string continue_token(std::uint64_t version, const std::string& last);
/// nullopt for what is no such token.
[[nodiscard]] std::optional<std::uint64_t> version_of_continue_token(const std::string& token);

}  // namespace holdfast::test
