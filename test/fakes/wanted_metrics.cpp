#include "test/fakes/wanted_metrics.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// A histogram is asked for by its parts.
std::string family_of(const std::string& name) {
  static const std::regex part("(csi_plugin_operations_seconds|.*_seconds)_(bucket|sum|count)");
  std::smatch found;
  return std::regex_match(name, found, part) ? found[1].str() : name;
}

void add_names(const std::string& text, const std::regex& name, std::set<std::string>& out) {
  for (std::sregex_iterator found(text.begin(), text.end(), name), end; found != end; ++found) {
    out.insert(family_of((*found)[1].str()));
  }
}

}  // namespace

std::vector<std::string> metrics_not_in(const std::string& page, const std::string& prefix) {
  const fs::path tree = HOLDFAST_TREE;
  std::set<std::string> wanted;
  const std::regex used("\\b(" + prefix + "[a-z0-9_]*)");
  const std::regex quoted("`(" + prefix + "[a-z0-9_]*)(\\{[^`]*\\})?`");
  for (const auto& file : fs::recursive_directory_iterator(tree / "manifests/monitoring")) {
    if (file.is_regular_file()) add_names(text_of(file.path()), used, wanted);
  }
  for (const auto& file : fs::recursive_directory_iterator(tree / "docs")) {
    if (file.path().extension() == ".md") add_names(text_of(file.path()), quoted, wanted);
  }
  std::vector<std::string> out;
  for (const std::string& name : wanted) {
    if (page.find("# TYPE " + name + " ") == std::string::npos) out.push_back(name);
  }
  return out;
}

}  // namespace holdfast::test
