#include "test/cni-flannel/plugin/recording_host.h"

#include <filesystem>
#include <fstream>

#include "test/catch.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecorder = R"(echo "$CNI_COMMAND $CNI_CONTAINERID" >> /run/calls
cat > "/run/input-$CNI_COMMAND"
[ ! -e "/run/do-$CNI_COMMAND" ] || . "/run/do-$CNI_COMMAND"
case $CNI_COMMAND in
  VERSION) echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}' ;;
  ADD) echo '{"cniVersion":"1.1.0","ips":[{"address":"192.0.2.7/24","gateway":"192.0.2.1"}]}' ;;
esac
)";

std::string commands_of(const std::string& verb) { return "/run/do-" + verb; }

}  // namespace

RecordingHost::RecordingHost() {
  fs::create_directories("/run/cni-bin");
  write_script("/run/cni-bin/recorder", kRecorder);
  set_cni_path("/run/cni-bin");
}

void RecordingHost::instead_of(const std::string& verb, const std::string& commands) {
  std::ofstream file(commands_of(verb));
  file << commands << "\n";
  file.close();
  REQUIRE(file);
}

void RecordingHost::as_usual(const std::string& verb) { REQUIRE(fs::remove(commands_of(verb))); }

std::vector<std::string> RecordingHost::calls() {
  std::vector<std::string> lines;
  std::ifstream file("/run/calls");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("VERSION")) lines.push_back(line);
  }
  fs::remove("/run/calls");
  return lines;
}

nlohmann::json RecordingHost::input(const std::string& verb) {
  std::ifstream file("/run/input-" + verb);
  return nlohmann::json::parse(file);
}

}  // namespace holdfast::test
