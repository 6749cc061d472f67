#include "common/netlink/netns.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

TEST_CASE("Only a network namespace is opened as one", "[netlink]") {
  CHECK(open_netns("/proc/self/ns/net").has_value());
  CHECK((::fcntl(open_netns("/proc/self/ns/net")->get(), F_GETFD) & FD_CLOEXEC) != 0);

  for (const char* path : {"/proc/self/ns/mnt", "/dev/null", "/proc", "/etc/passwd"}) {
    DYNAMIC_SECTION(path) {
      const auto opened = open_netns(path);
      REQUIRE_FALSE(opened.has_value());
      CHECK(opened.error().code == Code::kInvalidArgument);
      CHECK(opened.error().message == "'" + std::string(path) + "' is not a network namespace");
    }
  }
  const auto missing = open_netns("/run/netns/no-such-namespace");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == Code::kNotFound);
  CHECK(missing.error().message ==
        "open network namespace '/run/netns/no-such-namespace': No such file or directory");
}

TEST_CASE("The thread's own namespace is told from others", "[netlink]") {
  const test::FreshNetns here;
  const Fd other = test::new_netns();
  CHECK(same_netns(here.fd()).value());
  CHECK_FALSE(same_netns(other.get()).value());
  CHECK_FALSE(same_netns(-1).has_value());
}

TEST_CASE("Work in another namespace happens there and leaves the caller where it was", "[netlink]") {
  const test::FreshNetns here;
  const Fd other = test::new_netns();
  const Result<bool> inside = in_netns(other.get(), [&] { return same_netns(other.get()); });
  CHECK(inside.value());
  CHECK(same_netns(here.fd()).value());

  const Result<int> failed =
      in_netns(other.get(), []() -> Result<int> { return fail(Code::kAborted, "as asked"); });
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().message == "as asked");
}

TEST_CASE("Work for what is no namespace does not happen", "[netlink]") {
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  bool ran = false;
  const Status done = in_netns(null.get(), [&] {
    ran = true;
    return Status{};
  });
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().sys_errno == EINVAL);
  CHECK_FALSE(ran);
}

}  // namespace
}  // namespace holdfast::nl
