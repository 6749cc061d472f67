#include "csi-nas/nascmd/nascmd.h"

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "csi-nas/nfs/child_messages.h"

// csi-nas's hand into the kernel's NFS: started by it for each call, and killed when that is late.
int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto done = holdfast::nas::nascmd(words);
  std::fputs(holdfast::nas::write_answer(done).c_str(), stdout);
  return done ? 0 : 1;
}
