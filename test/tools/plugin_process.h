#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::test {

/// One call of a CNI plugin as a runtime makes it. Source: CNI spec, section 2.
struct PluginCall {
  std::filesystem::path binary;
  std::string command;            ///< CNI_COMMAND
  std::string container_id = {};  ///< this and the following: unset when empty
  std::string netns = {};
  std::string ifname = "eth0";
  std::string args = {};      ///< CNI_ARGS
  std::string cni_path = {};  ///< CNI_PATH
  std::string config;         ///< standard input
};

/// The variables of the call as "NAME=VALUE", with PATH and nothing else.
[[nodiscard]] std::vector<std::string> environment_of(const PluginCall& call);

/// Standard streams of a child: the configuration comes from memory, output and errors are collected.
class Streams {
 public:
  static Result<Streams> open(const std::string& input);

  [[nodiscard]] int child_in() const { return in_.get(); }
  [[nodiscard]] int child_out() const { return out_write_.get(); }
  [[nodiscard]] int child_err() const { return err_.get(); }
  /// To be called once the child has its own copies, else read_out() never ends.
  void close_child_ends() { out_write_.reset(); }
  /// Standard output until every holder has closed it, which is what a runtime waits for. A reader must come
  /// before the pipe is full (64 KiB).
  Result<std::string> read_out();
  Result<std::string> read_err();

 private:
  Fd in_;
  Fd out_read_;
  Fd out_write_;
  Fd err_;
};

struct PluginEnd {
  int exit_code = -1;  ///< 128 + signal when a signal ended it
  std::string out;
  std::string err;
  std::chrono::nanoseconds
      wall{};                      ///< from before the start until the child was reaped and its output closed
  std::chrono::nanoseconds cpu{};  ///< user and system time of the child and of the children it waited for
};

/// Starts all calls at once and waits for them.
/// Errors: kDeadlineExceeded after `patience`; what still runs is killed.
Result<std::vector<PluginEnd>> run_plugins(const std::vector<PluginCall>& calls,
                                           std::chrono::seconds patience);
Result<PluginEnd> run_plugin(const PluginCall& call);

/// Makes this process the reaper of processes that plugins leave running, so that nothing they cost is
/// missed.
Status adopt_orphans();
/// Waits until no child is left; returns the CPU time of those that were still there.
Result<std::chrono::nanoseconds> reap_orphans(std::chrono::seconds patience);

}  // namespace holdfast::test
