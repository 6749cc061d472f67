#include "common/csi/kept_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "common/csi/registration.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/fakes/wanted_metrics.h"

namespace holdfast::csi {
namespace {

namespace fs = std::filesystem;

/// errno of a connection to it, 0 when it is taken.
int connect_to(const fs::path& path, Fd& fd) {
  fd = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(&address.sun_path[0], path.c_str());
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

struct stat status_of(const fs::path& path) {
  struct stat out {};
  REQUIRE(::lstat(path.c_str(), &out) == 0);
  return out;
}

/// Leaves a socket without an owner, as a killed program does.
void leave_stale(const fs::path& path) {
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(&address.sun_path[0], path.c_str());
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

struct Scene {
  KeptSocket socket_at(const fs::path& path, KeptSocket::Folder owner) {
    return KeptSocket({*loop, files, log}, {path, owner},
                      [this](Fd fd) { connections.push_back(std::move(fd)); });
  }
  void turn(int times = 4) {
    for (int i = 0; i < times; ++i) REQUIRE(loop->turn(std::chrono::milliseconds(0)).has_value());
  }
  int connect(const fs::path& path) {
    Fd fd;
    const int failed = connect_to(path, fd);
    turn();
    clients.push_back(std::move(fd));
    return failed;
  }

  test::TemporaryFolder folder;
  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  PosixFiles files;
  test::LogLines log;
  std::vector<Fd> connections;
  std::vector<Fd> clients;
};

TEST_CASE("A socket is only for its owner, in a folder made for it, with nothing beside it", "[csi]") {
  Scene scene;
  const fs::path path = scene.folder / "plugins/driver/csi.sock";
  const mode_t umask_before = ::umask(0);
  {
    KeptSocket socket = scene.socket_at(path, KeptSocket::Folder::kOurs);
    const Status opened = socket.open();
    ::umask(umask_before);
    REQUIRE(opened.has_value());
    CHECK(S_ISSOCK(status_of(path).st_mode));
    CHECK((status_of(path).st_mode & 07777) == 0600);
    CHECK((status_of(path.parent_path()).st_mode & 07777) == 0750);
    CHECK(std::distance(fs::directory_iterator(path.parent_path()), {}) == 1);
    CHECK(scene.connect(path) == 0);
    CHECK(scene.connections.size() == 1);
  }
  CHECK(fs::is_empty(path.parent_path()));
}

TEST_CASE("Only a socket that nobody answers on is taken away for a new one", "[csi]") {
  Scene scene;
  const fs::path path = scene.folder / "csi.sock";

  SECTION("left by a killed program") {
    leave_stale(path);
    const Result<UnixListener> listener = UnixListener::open(path);
    REQUIRE(listener.has_value());
    CHECK(scene.connect(path) == 0);
  }
  SECTION("served by another program") {
    const Result<UnixListener> other = UnixListener::open(path);
    REQUIRE(other.has_value());
    const Result<UnixListener> listener = UnixListener::open(path);
    REQUIRE_FALSE(listener.has_value());
    CHECK(listener.error().code == Code::kAlreadyExists);
    CHECK(scene.connect(path) == 0);
  }
  SECTION("a file") {
    std::ofstream(path) << "text";
    const Result<UnixListener> listener = UnixListener::open(path);
    REQUIRE_FALSE(listener.has_value());
    CHECK(listener.error().code == Code::kFailedPrecondition);
    CHECK(fs::file_size(path) == 4);
  }
  SECTION("a link to a socket of others") {
    leave_stale(scene.folder / "other.sock");
    fs::create_symlink(scene.folder / "other.sock", path);
    CHECK(UnixListener::open(path).error().code == Code::kFailedPrecondition);
    CHECK(fs::is_symlink(path));
  }
  SECTION("a path that no socket can have") {
    CHECK(UnixListener::open(scene.folder / std::string(107, 'x')).error().code == Code::kInvalidArgument);
    CHECK(UnixListener::open("csi.sock").error().code == Code::kInvalidArgument);
  }
}

TEST_CASE("The file of another program that took the place is not removed", "[csi]") {
  const Scene scene;
  const fs::path path = scene.folder / "csi.sock";
  {
    const Result<UnixListener> listener = UnixListener::open(path);
    REQUIRE(listener.has_value());
    fs::remove(path);
    leave_stale(path);
    CHECK_FALSE(listener->in_place());
  }
  CHECK(fs::exists(path));
}

TEST_CASE("A socket that was removed is there again", "[csi]") {
  Scene scene;
  const fs::path path = scene.folder / "registry/driver-reg.sock";
  fs::create_directory(path.parent_path());
  KeptSocket socket = scene.socket_at(path, KeptSocket::Folder::kOthers);
  REQUIRE(socket.open().has_value());

  SECTION("by itself") { fs::remove(path); }
  SECTION("with its folder, which is made again later") {
    fs::remove_all(path.parent_path());
    scene.turn();
    CHECK_FALSE(socket.present());
    fs::create_directory(path.parent_path());
  }
  SECTION("with its folder, while nothing told of it") {
    fs::remove_all(path.parent_path());
    fs::create_directory(path.parent_path());
    scene.clock.advance(std::chrono::seconds(31));
  }
  scene.turn();
  CHECK(socket.present());
  CHECK(scene.connect(path) == 0);
  CHECK(scene.connections.size() == 1);
}

TEST_CASE("A kubelet's folder is waited for, not made", "[csi]") {
  Scene scene;
  const fs::path path = scene.folder / "kubelet/registry/driver-reg.sock";
  KeptSocket socket = scene.socket_at(path, KeptSocket::Folder::kOthers);
  REQUIRE(socket.open().has_value());
  scene.turn();
  CHECK_FALSE(fs::exists(scene.folder / "kubelet"));
  CHECK(scene.log.count("a socket is not served now") == 1);

  fs::create_directories(path.parent_path());
  scene.turn();
  CHECK(socket.present());
}

TEST_CASE("A place that another program serves is an error at first, and waited for later", "[csi]") {
  Scene scene;
  const fs::path path = scene.folder / "csi.sock";
  std::optional<UnixListener> other(UnixListener::open(path).value());
  KeptSocket late = scene.socket_at(path, KeptSocket::Folder::kOurs);
  CHECK(late.open().error().code == Code::kAlreadyExists);

  other.reset();
  KeptSocket socket = scene.socket_at(path, KeptSocket::Folder::kOurs);
  REQUIRE(socket.open().has_value());
  fs::remove(path);
  other.emplace(UnixListener::open(path).value());
  scene.turn();
  CHECK_FALSE(socket.present());
  other.reset();
  scene.turn();
  CHECK(socket.present());
}

struct RegistrationScene : Scene {
  RegistrationScene() { REQUIRE(socket.open().has_value()); }

  fs::path path = folder / "driver-reg.sock";
  KeptSocket socket = socket_at(path, KeptSocket::Folder::kOthers);
  Metrics metrics;
  Registration registration{*loop, log, metrics, socket, {"driver.example.com", "/csi.sock"}, 1};
};

TEST_CASE("A refused registration is tried again by a new socket, and shown meanwhile", "[csi]") {
  RegistrationScene scene;
  const ino_t first = status_of(scene.path).st_ino;
  scene.registration.notified(false, "no node yet");
  scene.turn();
  CHECK(scene.metrics.render().find("holdfast_csi_registered{driver_name=\"driver.example.com\"} 0") !=
        std::string::npos);
  CHECK(scene.log.count("kubelet did not register the driver") == 1);
  CHECK(scene.log.count("no node yet") == 1);

  // another file holds the number of the first one, so that the new socket cannot have it
  fs::create_hard_link(scene.path, scene.folder / "keeps-inode");
  scene.clock.advance(std::chrono::seconds(3));
  scene.turn();
  CHECK(scene.socket.present());
  CHECK(status_of(scene.path).st_ino != first);

  scene.registration.notified(true, "");
  scene.turn();
  CHECK(scene.metrics.render().find("holdfast_csi_registered{driver_name=\"driver.example.com\"} 1") !=
        std::string::npos);
  CHECK(holdfast::test::metrics_not_in(scene.metrics.render(), "holdfast_csi_").empty());
}

TEST_CASE("What kubelet tells after the end is not acted upon", "[csi]") {
  RegistrationScene scene;
  scene.registration.notified(false, "in time");
  scene.turn();
  scene.registration.end();
  scene.registration.notified(false, "late");
  const ino_t first = status_of(scene.path).st_ino;
  fs::create_hard_link(scene.path, scene.folder / "keeps-inode");
  scene.clock.advance(std::chrono::minutes(3));
  scene.turn();
  CHECK(status_of(scene.path).st_ino == first);
  {
    Registration gone(*scene.loop, scene.log, scene.metrics, scene.socket, {"gone", "/csi.sock"}, 1);
    gone.notified(false, "late");
  }
  scene.turn();
  CHECK(scene.log.count("late") == 0);
}

}  // namespace
}  // namespace holdfast::csi
