#include "cni-flannel/inspect/holdfast.h"

#include <cstdio>
#include <string>
#include <vector>

#include "common/base/flags.h"
#include "csi-lvm/cluster/forget_node.h"

namespace {

template <class Answer>
int print(const Answer& answer) {
  std::fputs(answer.out.c_str(), stdout);
  std::fputs(answer.error.c_str(), stderr);
  return answer.status;
}

}  // namespace

// The command line for people at a node. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  holdfast::PosixFiles files;
  holdfast::SystemClock clock;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool of_storage = !arguments.empty() && arguments.front() == "node";
  if (of_storage)
    return print(holdfast::lvm::answer_node_command(files, clock, arguments, holdfast::environment_variable));
  return print(holdfast::flannel::answer(files, clock, arguments, holdfast::environment_variable));
}
