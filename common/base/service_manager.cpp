#include "common/base/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>

#include "common/base/fd.h"

namespace holdfast {

void ServiceManager::ready() {
  if (std::exchange(told_ready_, true)) return;
  send("READY=1");
}

void ServiceManager::status(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  if (line == status_) return;
  status_ = line;
  send("STATUS=" + line);
}

void ServiceManager::stopping() { send("STOPPING=1"); }

void ServiceManager::send(const std::string& message) const {
  sockaddr_un address{};
  const bool usable =
      (socket_.starts_with('/') || socket_.starts_with('@')) && socket_.size() < sizeof address.sun_path;
  if (!usable) return;
  address.sun_family = AF_UNIX;
  std::ranges::copy(socket_, address.sun_path);
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // a manager that does not listen loses news, no more
  static_cast<void>(::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address),
                             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size())));
}

}  // namespace holdfast
