#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "cni-flannel/plugin/link_removal.h"
#include "common/base/fd.h"
#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

struct Host {
  test::FreshNetns netns;
  nl::Socket socket = nl::Socket::open().value();

  Host() { make_pair(); }
  ~Host() {
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void make_pair() const { test::output_of("ip link add here type veth peer name there"); }
  int index_of(const char* name) { return nl::find_link(socket, name).value().value().index; }
  bool has(const char* name) { return nl::find_link(socket, name).value().has_value(); }
};

TEST_CASE_METHOD(Host, "A removed link is gone with its peer, and both names are free at once", "[plugin]") {
  for (int time = 0; time < 5; ++time) {
    REQUIRE(remove_link(socket, index_of("here")).has_value());
    CHECK_FALSE(has("here"));
    CHECK_FALSE(has("there"));
    make_pair();
  }
}

TEST_CASE_METHOD(Host, "Removing a link that is not there succeeds", "[plugin]") {
  const int index = index_of("here");
  REQUIRE(remove_link(socket, index).has_value());
  CHECK(remove_link(socket, index).has_value());
}

TEST_CASE_METHOD(Host, "A link that the kernel keeps is an error in the kernel's words", "[plugin]") {
  const Status done = remove_link(socket, 1);  // lo
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().sys_errno == EOPNOTSUPP);
}

TEST_CASE_METHOD(Host, "What waits for the kernel holds no descriptor of the caller's", "[plugin]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  REQUIRE(remove_link(socket, index_of("here")).has_value());
  writer.reset();
  pollfd closed{reader.get(), POLLIN, 0};
  CHECK(::poll(&closed, 1, 0) == 1);
  CHECK((closed.revents & POLLHUP) != 0);
}

}  // namespace
}  // namespace holdfast::flannel
