#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::bench {

/// Where flanneld runs in a benchmark: the calling process's network namespace, with a link eth0 that has
/// 172.30.0.1/24 and a default route, and a folder for all that it reads and writes.
struct OverlayNode {
  std::filesystem::path program;
  std::filesystem::path work;
  /// Flags that tell the source; empty: the files.
  std::vector<std::string> source{};

  /// Leaves the machine's network namespace for a fresh one with the link in it.
  static Status enter();
  /// Makes what the program reads: net-conf.json, and for each of `peers` (and for this node) a file.
  Status write_files(unsigned peers) const;
  /// What a run with these peers would have stored, and no source.
  Status write_store(unsigned peers) const;
  /// The same node with the API server `url`, nothing stored, and no file.
  [[nodiscard]] Result<OverlayNode> with_api(const std::string& url) const;
  /// The file of peer `n`, with another VTEP MAC for each `version`.
  Status write_peer(unsigned n, unsigned version) const;
};

/// The VTEP MAC that write_peer() tells.
[[nodiscard]] std::string mac_of(unsigned n, unsigned version);

/// A running flanneld. Ends with the object.
class DaemonRun {
 public:
  static Result<DaemonRun> start(const OverlayNode& node);
  DaemonRun(DaemonRun&& other) noexcept : pid_(std::exchange(other.pid_, -1)), begun_(other.begun_) {}
  DaemonRun& operator=(DaemonRun&&) = delete;
  DaemonRun(const DaemonRun&) = delete;
  DaemonRun& operator=(const DaemonRun&) = delete;
  ~DaemonRun() { end(); }
  void end();

  /// Waits until /readyz answers 200, and returns how long that took from its start.
  Result<std::chrono::nanoseconds> wait_ready();
  struct Memory {
    std::uint64_t pss_bytes = 0;
    std::uint64_t rss_anon_bytes = 0;
  };
  [[nodiscard]] Memory memory() const;

 private:
  explicit DaemonRun(pid_t pid) : pid_(pid), begun_(std::chrono::steady_clock::now()) {}
  pid_t pid_;
  std::chrono::steady_clock::time_point begun_;
};

/// Entries of the kernel for peers.
struct Programmed {
  std::size_t neighbours = 0;
  std::size_t fdb = 0;
  std::size_t routes = 0;
  [[nodiscard]] bool all(std::size_t peers) const {
    return neighbours == peers && fdb == peers && routes == peers;
  }
};
/// On flannel.1; zeros when it is not there.
Result<Programmed> count_programmed(nl::Socket& socket);

}  // namespace holdfast::bench
