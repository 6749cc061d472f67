#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "csi-disk/program/csi_disk.h"
#include "csi-disk/program/options.h"
#include "csi-disk/sim/disk_sim.h"
#include "test/catch.h"

// What docs show is typed as it is printed.
namespace holdfast::disk {
namespace {

using Words = std::vector<std::string>;

// Commands of a page: lines that are indented by four blanks and begin with `program`, whole when they go on
// behind a '\'; what is said of one behind three blanks, or behind '#' or '&', is none of it.
std::vector<Words> commands_of(const std::string& page, const std::string& program) {
  std::ifstream file(std::filesystem::path(HOLDFAST_DOCS) / page);
  REQUIRE(file.good());
  std::vector<Words> out;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("    " + program + " ")) continue;
    while (line.ends_with("\\")) {
      std::string rest;
      REQUIRE(std::getline(file, rest));
      line.resize(line.size() - 1);
      line += rest.substr(rest.find_first_not_of(' '));
    }
    line = line.substr(4);
    line.resize(std::min({line.size(), line.find("   "), line.find(" &"), line.find(" #")}));
    std::istringstream words(line);
    Words command;
    for (std::string word; words >> word;) command.push_back(word);
    out.push_back(std::move(command));
  }
  return out;
}

TEST_CASE("csi-disk takes the flags that docs show", "[disk]") {
  const std::vector<Words> commands = commands_of("csi-disk.md", "csi-disk");
  REQUIRE(commands.size() >= 4);
  for (const Words& command : commands) {
    Words arguments(command.begin() + 1, command.end());
    std::erase(arguments, "...");
    Options options;
    const Status parsed = parse_options(
        arguments, [](const std::string&) { return std::optional<std::string>(); }, options);
    std::string all;
    for (const std::string& word : command) all += word + " ";
    INFO(all << ": " << (parsed ? "" : parsed.error().message));
    CHECK(parsed);
  }
}

TEST_CASE("disk-sim takes the flags that docs show", "[disk]") {
  for (const char* page : {"csi-disk.md", "disk-backend.md"}) {
    const std::vector<Words> commands = commands_of(page, "disk-sim");
    REQUIRE_FALSE(commands.empty());
    for (const Words& command : commands) {
      Words arguments(command.begin() + 1, command.end());
      arguments.emplace_back("--help");  // which is answered when all the others were understood
      std::ostringstream out;
      std::ostringstream error;
      CHECK(disk_sim(arguments, out, error) == 0);
      CHECK(error.str().empty());
    }
  }
}

}  // namespace
}  // namespace holdfast::disk
