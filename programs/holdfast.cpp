#include "cni-flannel/inspect/holdfast.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

// The command line for people at a node. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  holdfast::PosixFiles files;
  holdfast::SystemClock clock;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  const holdfast::flannel::Answer answer = holdfast::flannel::answer(files, clock, arguments, environment);
  std::fputs(answer.out.c_str(), stdout);
  std::fputs(answer.error.c_str(), stderr);
  return answer.status;
}
