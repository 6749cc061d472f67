#include <csignal>

#include "cni-flannel/plugin/flannel_plugin.h"
#include "cni-flannel/plugin/run.h"

// The CNI plugin's binary. Everything that can be tested is in the library.
int main() {
  std::signal(SIGPIPE, SIG_IGN);  // a runtime that went away is an error of write(2), not our death
  holdfast::PosixFiles files;
  holdfast::SystemClock clock;
  holdfast::SystemExecutor executor;
  holdfast::flannel::FlannelPlugin plugin(files, clock, executor);
  return holdfast::cni::run(plugin, holdfast::cni::Environment::from_process());
}
