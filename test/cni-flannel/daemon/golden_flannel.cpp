#include "test/cni-flannel/daemon/golden_flannel.h"

#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace holdfast::test {

std::string golden_path(const std::string& name) {
  return std::string(HOLDFAST_FIXTURES) + "/golden-flannel/" + name;
}

std::string golden(const std::string& name) {
  const std::ifstream file(golden_path(name));
  if (!file) throw std::runtime_error("no fixture " + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string bare_rules(std::string text) {
  text = std::regex_replace(text, std::regex("#[^\n]*\n"), "");
  text = std::regex_replace(text, std::regex("\\[[0-9]+:[0-9]+\\]"), "[]");
  text = std::regex_replace(text, std::regex("\n\n+"), "\n");
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no '" + from + "' in:\n" + text);
  return text.replace(at, from.size(), to);
}

}  // namespace holdfast::test
