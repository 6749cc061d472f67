#include <cstdio>

#include "csi-lvm/lvm/frames.h"
#include "csi-lvm/lvmcmd/lvm_library.h"
#include "csi-lvm/lvmcmd/serve.h"

// csi-lvm's worker: started by it, with the channel between them as descriptor 3.
int main() {
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
