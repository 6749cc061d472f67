#include "common/netlink/netns.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <thread>

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

// What an emulator does that does not know the question; on the calling thread, for good.
bool refuse_ioctl() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_CASE("Where the kernel cannot be asked what a namespace is, it is joined and left", "[netlink]") {
  const test::FreshNetns here;
  const Fd other = test::new_netns();
  const std::string path = "/proc/self/fd/" + std::to_string(other.get());
  std::optional<Result<Fd>> opened;
  std::optional<Result<Fd>> mounts;
  bool refused = false;
  bool at_home = false;
  std::thread([&] {
    refused = refuse_ioctl();
    opened = open_netns(path);
    mounts = open_netns("/proc/self/ns/mnt");
    at_home = same_netns(here.fd()).value_or(false);
  }).join();
  REQUIRE(refused);
  INFO((opened->has_value() ? "" : opened->error().message));
  CHECK(opened->has_value());
  CHECK(at_home);
  REQUIRE_FALSE(mounts->has_value());
  CHECK(mounts->error().message == "'/proc/self/ns/mnt' is not a network namespace");
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
