#include "test/bench/overlay/patch_object.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "common/base/fd.h"

namespace holdfast::bench {

Status patch_object(const std::string& url, const std::string& name, const std::string& patch) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request =
      "PATCH /apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/" + name +
      " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/merge-patch+json\r\nContent-Length: " +
      std::to_string(patch.size()) + "\r\n\r\n" + patch;
  std::array<char, 16> answer{};
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
      ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0 ||
      ::recv(fd.get(), answer.data(), answer.size(), MSG_WAITALL) < 0) {
    return fail_errno(errno, "patch " + name);
  }
  if (std::string_view(answer.data(), answer.size()).starts_with("HTTP/1.1 200")) return {};
  return fail(Code::kInternal, "patch " + name + " is answered " + std::string(answer.data(), answer.size()));
}

}  // namespace holdfast::bench
