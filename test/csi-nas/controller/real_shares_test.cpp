#include <cstdlib>
#include <thread>

#include "common/mount/mount_table.h"
#include "csi-nas/controller/mounted_shares.h"
#include "csi-nas/mounts/child_calls.h"
#include "csi-nas/mounts/server_watch.h"
#include "csi-nas/nfs/nfs_table.h"
#include "test/csi-nas/controller/dropped_packets.h"
#include "test/csi-nas/controller/share_contract.h"
#include "test/fakes/temporary_folder.h"

// In a guest with an NFS server that is 10.9.0.3 too, in the network namespace of the node
// (test/kernel/guest/csi_nas_volumes.sh).
namespace holdfast::nas {
namespace {

NasSource share(const std::string& path, const std::string& host) {
  NasSource source;
  source.shares = {{host, path}};
  source.options = parse_nas_options(std::vector<std::string>{"vers=3,nolock,noresvport"}).value();
  return source;
}

TEST_CASE("shares of the kernel's NFS server keep to the contract", "[nas]") {
  const holdfast::test::TemporaryFolder folder;
  SystemClock clock;
  const std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  const auto table = mount::MountTable::open().value();
  ChildCalls calls(std::string(std::getenv("HOLDFAST_BIN")) + "/nascmd", folder.path().native());
  ServerWatch servers(*loop);
  NasMounts mounts({calls, servers, clock, [&] { return table->now(); }, (folder / "shared").native()});
  MountedShares access(mounts, servers, clock, (folder / "shown").native());
  std::thread body([&] {
    test::keep_share_contract({.access = access,
                               .share = share("/srv/share/contract", test::kMortal),
                               .other = share("/srv/share/another", test::kMortal),
                               .elsewhere = share("/srv/share", "10.9.0.2"),
                               .set_dead = test::drop_packets});
    constexpr std::chrono::milliseconds kPatience{3000};
    access.sweep({}, kPatience);
    mounts.sweep({}, mounts.deadline(kPatience));
    CHECK(servers_below(*table->now().value(), folder.path().native()).empty());
    loop->post([&] { loop->stop(); });
  });
  CHECK(loop->run().has_value());
  body.join();
}

}  // namespace
}  // namespace holdfast::nas
