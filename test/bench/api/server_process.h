#pragma once

#include <sys/types.h>

#include <string>

#include "common/base/fd.h"

namespace holdfast::bench {

/// An API server in a process of its own, so that what it holds is not counted here, with `objects` nodes
/// (hour.h). Listens on loopback. Ends with the object, and with this process.
class ServerProcess {
 public:
  explicit ServerProcess(unsigned objects);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  pid_t pid_ = -1;
  Fd life_;
  std::string url_;
};

}  // namespace holdfast::bench
