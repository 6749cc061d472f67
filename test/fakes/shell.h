#pragma once

#include <string>

namespace holdfast::test {

/// What a shell command prints, run in the calling thread's namespaces. Throws, which fails the case, when
/// the command fails.
std::string output_of(const std::string& command);

}  // namespace holdfast::test
