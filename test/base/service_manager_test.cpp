#include "common/base/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/base/fd.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

/// A service manager's end of the socket.
struct Manager {
  explicit Manager(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(name, address.sun_path);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  }
  std::vector<std::string> heard() {
    std::vector<std::string> out;
    std::array<char, 256> buffer{};
    for (ssize_t got = 0; (got = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
      out.emplace_back(buffer.data(), static_cast<std::size_t>(got));
    }
    return out;
  }
  Fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

TEST_CASE("The service manager hears that we are ready once, and each state once", "[service]") {
  const test::TemporaryFolder folder;
  const std::string name = GENERATE(true, false) ? (folder / "notify").string()
                                                 : "@holdfast-test-" + folder.path().filename().string();
  Manager manager(name);
  ServiceManager told(name);
  told.status("3 peers");
  told.ready();
  told.ready();
  told.status("3 peers");
  told.status("two\nlines");
  told.stopping();
  CHECK(manager.heard() ==
        std::vector<std::string>{"STATUS=3 peers", "READY=1", "STATUS=two lines", "STOPPING=1"});
}

TEST_CASE("Without a service manager nothing happens", "[service]") {
  for (const std::string name : {"", "relative", "/nobody/listens", "/"}) {
    ServiceManager told(name);
    told.ready();
    told.status("x");
  }
  ServiceManager too_long("/" + std::string(200, 'a'));
  too_long.ready();
  SUCCEED();
}

}  // namespace
}  // namespace holdfast
