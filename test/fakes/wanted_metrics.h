#pragma once

#include <string>
#include <vector>

namespace holdfast::test {

/// The metrics whose names begin with `prefix` that the rules and boards of manifests/monitoring ask for, or
/// a page of docs/ names in backquotes, and that `page`, a program's /metrics, does not have; sorted.
[[nodiscard]] std::vector<std::string> metrics_not_in(const std::string& page, const std::string& prefix);

}  // namespace holdfast::test
