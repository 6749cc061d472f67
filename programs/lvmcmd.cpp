#include <cstdio>
#include <string>
#include <string_view>

#include "common/base/version.h"
#include "csi-lvm/lvm/frames.h"
#include "csi-lvm/lvmcmd/lvm_library.h"
#include "csi-lvm/lvmcmd/serve.h"

namespace {

constexpr const char* kHelp =
    "lvmcmd: LVM's worker. csi-lvm, csi-node and node-resource-manager start it (--lvmcmd) and send it "
    "their\n"
    "commands by a socket, its descriptor 3. Started by hand it does nothing: use lvm.\n"
    "  --help, --version\n";

// What a person who started it hears.
int answer(std::string_view argument) {
  const std::string version = "lvmcmd " + std::string(holdfast::version()) + "\n";
  const bool asked = argument == "--help" || argument == "--version";
  std::fputs(argument == "--version" ? version.c_str() : kHelp, asked ? stdout : stderr);
  return asked ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) return answer(argv[1]);
  auto library = holdfast::lvm::LvmLibrary::open();
  if (!library) {
    std::fprintf(stderr, "lvmcmd: %s\n", library.error().message.c_str());
    return 1;
  }
  const auto run = [&library](const std::string& line) { return (*library)->run(line); };
  const holdfast::Status served = holdfast::lvm::serve_commands(holdfast::lvm::kWorkerFd, run);
  if (!served) std::fprintf(stderr, "lvmcmd: %s\n", served.error().message.c_str());
  return served ? 0 : 1;
}
