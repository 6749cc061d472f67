#include "test/egw-gateway/object_file.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace holdfast::test {
namespace {

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

void replace(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path fresh = file.parent_path() / ("." + file.filename().native() + ".new");
  std::ofstream(fresh) << text;
  std::filesystem::rename(fresh, file);
}

/// "gateways" of "  gateways:"; empty: the line begins no member.
std::string member_of(const std::string& line) {
  if (!line.starts_with("  ") || line.starts_with("   ")) return "";
  return line.substr(2, line.find(':') - 2);
}

}  // namespace

void take_members(const std::filesystem::path& file, const std::vector<std::string>& members) {
  std::istringstream lines(text_of(file));
  std::string text;
  bool taken = false;
  for (std::string line; std::getline(lines, line);) {
    const std::string member = member_of(line);
    if (!member.empty()) taken = std::ranges::find(members, member) != members.end();
    if (!taken) text += line + "\n";
  }
  replace(file, text);
}

std::function<void(const std::filesystem::path&)> without(std::vector<std::string> members) {
  return [members = std::move(members)](const std::filesystem::path& file) { take_members(file, members); };
}

void rename_pool(const std::filesystem::path& file, const std::string& pool, const std::string& other) {
  std::string text = text_of(file);
  const std::string name = "{name: " + pool + "}";
  const std::size_t at = text.find(name);
  if (at == std::string::npos) throw std::runtime_error(file.native() + " has no pool " + pool);
  replace(file, text.replace(at, name.size(), "{name: " + other + "}"));
}

}  // namespace holdfast::test
