#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "csi-lvm/lvm/frames.h"
#include "csi-lvm/lvmcmd/serve.h"

// Stands in for lvmcmd, to do what LVM does only in bad times: sleep, die, answer half.
namespace {

holdfast::lvm::LvmAnswer answer_to(const std::string& line) {
  if (line == "die") std::exit(7);
  if (line == "half") {
    const ssize_t sent = ::write(holdfast::lvm::kWorkerFd,
                                 "\1\0\0\0"
                                 "1\5\0",
                                 7);
    std::exit(sent == 7 ? 0 : 1);
  }
  if (line.starts_with("sleep ")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(line.substr(6))));
  }
  if (line.starts_with("leave ")) {
    std::ofstream(line.substr(6) + ".begun") << "begun";
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    std::ofstream(line.substr(6)) << "done";
  }
  if (line == "miscount")
    return {.succeeded = true, .output = line, .talk = "Internal error: Writing metadata."};
  if (line == "suspended")
    return {.succeeded = true, .output = line, .talk = "Releasing in critical section."};
  const bool input = ::read(STDIN_FILENO, nullptr, 0) == 0;
  return {.succeeded = line != "fail", .output = line, .talk = input ? "no input" : "no stdin"};
}

}  // namespace

int main() { return holdfast::lvm::serve_commands(holdfast::lvm::kWorkerFd, answer_to) ? 0 : 1; }
