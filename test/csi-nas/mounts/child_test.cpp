#include "csi-nas/mounts/child.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "csi-nas/nascmd/serve.h"
#include "csi-nas/nfs/child_messages.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

Child::Time soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

std::string look_of(const std::string& path) {
  return write_words(std::vector<std::string>{"look", path}).value();
}

TEST_CASE("a child outlives the thread that started it, and ends with its Child", "[nas]") {
  const holdfast::test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "volume");
  std::optional<Child> child;
  std::thread([&] { child = Child::start(NASCMD, folder.path().native(), "s").value(); }).join();
  for (int i = 0; i < 2; ++i) {
    const ChildReply reply = child->ask(look_of((folder / "volume").native()), soon());
    REQUIRE(reply.kind == ChildReply::Kind::kAnswered);
    CHECK(read_usage(read_answer(reply.text, "look").value()).value().total_bytes > 0);
  }
  const ChildReply none = child->ask(look_of((folder / "none").native()), soon());
  CHECK(read_answer(none.text, "look").error().code == Code::kNotFound);
  const ChildReply unknown = child->ask(write_words(std::vector<std::string>{"dance"}).value(), soon());
  CHECK(read_answer(unknown.text, "dance").error().code == Code::kInvalidArgument);
  CHECK_FALSE(child->ended_by({}));
  child->dismiss();
  CHECK(child->ended_by(soon()));
}

TEST_CASE("who serves calls ends within one when nobody waits for it any more", "[nas]") {
  std::array<int, 2> ends{};
  std::array<int, 2> begun{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  REQUIRE(::pipe(begun.data()) == 0);
  const pid_t process = ::fork();
  if (process == 0) {
    ::close(ends[0]);
    serve(ends[1], [&](std::span<const std::string>) -> Result<std::string> {
      static_cast<void>(::write(begun[1], "x", 1));
      while (true) ::pause();
    });
    ::_exit(1);
  }
  ::close(ends[1]);
  const std::string call = look_of("/a");
  REQUIRE(::send(ends[0], call.data(), call.size(), 0) > 0);
  char byte = 0;
  REQUIRE(::read(begun[0], &byte, 1) == 1);
  CHECK(::waitpid(process, nullptr, WNOHANG) == 0);
  ::close(ends[0]);
  int status = 1;
  REQUIRE(::waitpid(process, &status, 0) == process);
  CHECK(status == 0);
  ::close(begun[0]);
  ::close(begun[1]);
}

}  // namespace
}  // namespace holdfast::nas
