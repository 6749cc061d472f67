#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace holdfast::test {

/// Takes members out of the spec of an EdgeGateway in a file, at one stroke. The file is as scenes write it:
/// two spaces before a member's name, more before what belongs to it.
void take_members(const std::filesystem::path& file, const std::vector<std::string>& members);

/// The same, to be done to a file later.
[[nodiscard]] std::function<void(const std::filesystem::path&)> without(std::vector<std::string> members);

/// Puts another name in the place of a pool's, at one stroke.
void rename_pool(const std::filesystem::path& file, const std::string& pool, const std::string& other);

}  // namespace holdfast::test
