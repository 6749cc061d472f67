#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::test {

/// Datagrams that go back and forth between pods without a pause, to see whether anything interrupts them.
/// Nothing is sent twice, so a single lost packet counts.
class PodTraffic {
 public:
  PodTraffic() = default;
  PodTraffic(const PodTraffic&) = delete;
  PodTraffic& operator=(const PodTraffic&) = delete;
  ~PodTraffic() { stop(); }

  /// From the namespace `from` to `address`, an IPv4 address in the namespace `to`; an empty path is the
  /// calling thread's namespace. Only before start().
  Status add_way(const std::filesystem::path& from, const std::filesystem::path& to,
                 const std::string& address);
  void start();

  struct Count {
    std::size_t answered = 0;
    std::vector<std::string> lost;  ///< where to, once for each packet
  };
  /// Ends the traffic; what was counted until now.
  Count stop();

 private:
  struct Way {
    std::string address;
    Fd near;
    Fd far;
  };

  void run();

  std::vector<Way> ways_;
  std::atomic<bool> stopping_{false};
  Count count_;  ///< the thread's while it runs
  std::thread thread_;
};

}  // namespace holdfast::test
