#include "csi-nas/nascmd/serve.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "csi-nas/nfs/child_messages.h"

namespace holdfast::nas {
namespace {

// On a thread of its own, as the other may be in the kernel. PR_SET_PDEATHSIG would be sent at the end of the
// thread that started us, which is none that our calls depend on.
void end_with(int socket) {
  pollfd watched{socket, 0, 0};  // that the other end is closed is told always
  while (::poll(&watched, 1, -1) < 0 && errno == EINTR) continue;
  ::_exit(0);
}

}  // namespace

void serve(int socket, const ServedCall& call) {
  std::thread([socket] { end_with(socket); }).detach();
  std::string message(kMostMessageBytes, '\0');
  while (true) {
    const ssize_t size = ::recv(socket, message.data(), message.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    const std::vector<std::string> words = read_words({message.data(), static_cast<std::size_t>(size)});
    const std::string answer = write_answer(call(words));
    if (::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
  }
}

}  // namespace holdfast::nas
