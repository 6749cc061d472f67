#pragma once

#include <string>

namespace holdfast::test {

/// A file of test/fixtures/golden-flannel: "ipt/nodea.node.json".
std::string golden(const std::string& name);
std::string golden_path(const std::string& name);

/// Rules without remarks, counters and empty lines.
std::string bare_rules(std::string text);

/// `text` with the first `from` replaced, which must be in it.
std::string replaced(std::string text, const std::string& from, const std::string& to);

}  // namespace holdfast::test
