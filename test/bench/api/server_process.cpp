#include "test/bench/api/server_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>

#include "test/bench/api/hour.h"

namespace holdfast::bench {
namespace {

[[noreturn]] void serve(unsigned objects, int urls, int life) {
  test::ApiServerThread thread;
  thread.with([&](test::ApiServer& server) { fill(server, objects, /*with_columns=*/true); });
  static_cast<void>(::write(urls, thread.url().data(), thread.url().size()));
  char byte = 0;
  static_cast<void>(::read(life, &byte, 1));
  ::_exit(0);
}

}  // namespace

ServerProcess::ServerProcess(unsigned objects) {
  std::array<int, 2> urls{};
  std::array<int, 2> life{};
  if (::pipe2(urls.data(), O_CLOEXEC) != 0 || ::pipe2(life.data(), O_CLOEXEC) != 0) {
    std::terminate();
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(life[1]);
    serve(objects, urls[1], life[0]);
  }
  ::close(urls[1]);
  ::close(life[0]);
  life_ = Fd(life[1]);
  const Fd told(urls[0]);
  std::array<char, 64> text{};
  const auto size = ::read(told.get(), text.data(), text.size());
  url_ = {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

ServerProcess::~ServerProcess() {
  life_ = Fd();
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace holdfast::bench
