#pragma once

#include <string>
#include <vector>

/// The handbook of failures, docs/failures.md, and what `holdfast doctor` prints.
namespace holdfast::test {

/// Whether a row of the handbook is this finding: what was looked at, and what was found.
[[nodiscard]] bool is_in_handbook(const std::string& what, const std::string& detail);

/// Of what doctor has printed, the rows marked WRONG or ?? that the handbook does not have.
[[nodiscard]] std::vector<std::string> not_in_handbook(const std::string& printed);

}  // namespace holdfast::test
