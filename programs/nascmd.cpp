#include "csi-nas/nascmd/nascmd.h"

#include <unistd.h>

#include <cstdio>
#include <span>
#include <string>

#include "csi-nas/nascmd/serve.h"

// csi-nas's hand into the kernel's NFS, "nascmd ROOT SERVER": started by it with a socket as standard input,
// by which it is told one call after the other, and killed when one is late. SERVER is for people alone.
int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("nascmd is started by csi-nas, for what may hang in the kernel\n", stderr);
    return 2;
  }
  holdfast::nas::Nascmd nascmd(argv[1]);
  holdfast::nas::serve(STDIN_FILENO,
                       [&nascmd](std::span<const std::string> words) { return nascmd.run(words); });
  return 0;
}
