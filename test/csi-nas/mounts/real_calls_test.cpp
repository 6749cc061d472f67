#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/base/fd.h"
#include "common/mount/mount_table.h"
#include "csi-nas/mounts/child_calls.h"
#include "csi-nas/mounts/server_watch.h"
#include "csi-nas/volumes/nas_options.h"
#include "test/csi-nas/controller/dropped_packets.h"
#include "test/csi-nas/mounts/calls_contract.h"
#include "test/fakes/temporary_folder.h"

// In a guest, as ../controller/real_shares_test.cpp.
namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "/srv/share/contract-of-calls";

std::string path_of(const std::string& source) { return source.substr(source.find(':') + 1); }

TEST_CASE("calls by nascmd keep to the contract of calls with the kernel's NFS server", "[nas]") {
  const holdfast::test::TemporaryFolder folder;
  const auto table = mount::MountTable::open().value();
  ChildCalls calls(std::string(std::getenv("HOLDFAST_BIN")) + "/nascmd", folder.path().native());
  fs::create_directories(kFolder);
  const ServerAddress server{test::kMortal};
  const auto options = parse_nas_options(std::vector<std::string>{"vers=3,nolock,noresvport"}).value();
  Fd used;
  test::CallsContract({.calls = calls,
                       .server = server,
                       .share = std::string(test::kMortal) + ":" + kFolder,
                       .options = kernel_options(options, server.address),
                       .root = folder.path().native(),
                       .mounts = [&] { return *table->now().value(); },
                       .use =
                           [&](const std::string& target, bool in_use) {
                             used = Fd(in_use ? ::open(target.c_str(), O_RDONLY | O_CLOEXEC) : -1);
                             REQUIRE(used.valid() == in_use);
                           },
                       .remove_at_server = [](const std::string& source,
                                              const std::string&) { fs::remove_all(path_of(source)); },
                       .set_dead = test::drop_packets})
      .keep();
  CHECK(servers_below(*table->now().value(), folder.path().native()).empty());
}

TEST_CASE("a watch keeps to the contract of states with the kernel's NFS server", "[nas]") {
  SystemClock clock;
  const std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  ServerWatch servers(*loop);
  std::thread body([&] {
    test::keep_states_contract(servers, ServerAddress{test::kMortal}, test::drop_packets);
    loop->post([&] { loop->stop(); });
  });
  CHECK(loop->run().has_value());
  body.join();
}

}  // namespace
}  // namespace holdfast::nas
