#include "common/block/allow_format.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>

#include <memory>
#include <vector>

#include "common/base/fd.h"
#include "common/block/blank_proof.h"
#include "common/block/block_device.h"
#include "common/mount/device_free.h"
#include "test/block/fake_machine.h"
#include "test/block/loop_device.h"
#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/mount/fresh_mounts.h"

// The command for people at a node, on real disks.
namespace holdfast::block {
namespace {

using test::FakeMachine;
using test::FreshMounts;
using test::LoopDevice;

constexpr std::uint64_t kDisk = std::uint64_t{64} << 20;

FormatAnswer answer(const std::vector<std::string>& arguments,
                    const DeviceDirectory& directory = DeviceDirectory()) {
  return answer_volume_command(directory, mount::places_of, arguments);
}

Content all_of(const LoopDevice& disk) {
  const auto device = SystemBlockDevice::open(disk.path(), Access::kRead).value();
  return whole_device_is_zero(*device, 0, [] { return false; }).found.value();
}

TEST_CASE("What a volume holds is lost only when that is said", "[block]") {
  const LoopDevice disk(kDisk);
  test::output_of("mke2fs -q -F -t ext4 " + disk.path());
  const FormatAnswer told = answer({"volume", "allow-format", disk.path()});
  CHECK(told.status == 1);
  CHECK(told.out.find("67108864 bytes, holds ext4 ") != std::string::npos);
  CHECK(told.error == "nothing was changed; --lose-content overwrites all of it with zeros\n");
  CHECK_FALSE(all_of(disk) == Content(Blank{.throughout = true}));

  const FormatAnswer done = answer({"volume", "allow-format", disk.path(), "--lose-content"});
  CHECK(done.status == 0);
  CHECK(done.error.empty());
  CHECK(done.out.find("67108864 bytes are zero\n") != std::string::npos);
  CHECK(all_of(disk) == Content(Blank{.throughout = true}));
}

TEST_CASE("What somebody uses is not overwritten", "[block]") {
  const FreshMounts mounts;
  const LoopDevice disk(kDisk);
  test::output_of("mke2fs -q -F -t ext4 " + disk.path());
  const std::string path = FreshMounts::folder("m");
  REQUIRE(::mount(disk.path().c_str(), path.c_str(), "ext4", 0, nullptr) == 0);
  const FormatAnswer refused = answer({"volume", "allow-format", disk.path(), "--lose-content"});
  CHECK(refused.status == 1);
  CHECK(refused.error.find("is in use: it is mounted") != std::string::npos);
  REQUIRE(::umount(path.c_str()) == 0);
  CHECK_FALSE(all_of(disk) == Content(Blank{.throughout = true}));
}

TEST_CASE("What a program has locked is not overwritten, though it holds it by nothing else", "[block]") {
  const LoopDevice disk(kDisk);
  test::output_of("mke2fs -q -F -t ext4 " + disk.path());
  Fd fd(::open(disk.path().c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(::flock(fd.get(), LOCK_EX) == 0);
  const FormatAnswer refused = answer({"volume", "allow-format", disk.path(), "--lose-content"});
  CHECK(refused.status == 1);
  CHECK(refused.error.find("is in use: a program has locked it") != std::string::npos);
  CHECK_FALSE(all_of(disk) == Content(Blank{.throughout = true}));
  REQUIRE(::flock(fd.get(), LOCK_SH) == 0);  // somebody looks
  CHECK(answer({"volume", "allow-format", disk.path(), "--lose-content"}).status == 0);
}

TEST_CASE("What a pod has as a raw device is not overwritten, though nobody has it open", "[block]") {
  const FreshMounts mounts;
  const LoopDevice disk(kDisk);
  test::output_of("mke2fs -q -F -t ext4 " + disk.path());
  const std::string path = FreshMounts::folder("m") + "/raw";
  test::output_of("touch " + path);
  REQUIRE(::mount(disk.path().c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0);
  const FormatAnswer refused = answer({"volume", "allow-format", disk.path(), "--lose-content"});
  CHECK(refused.status == 1);
  CHECK(refused.error.find("is in use: it is at " + path) != std::string::npos);
  REQUIRE(::umount(path.c_str()) == 0);
  CHECK_FALSE(all_of(disk) == Content(Blank{.throughout = true}));
  CHECK(answer({"volume", "allow-format", disk.path(), "--lose-content"}).status == 0);
}

TEST_CASE("A kernel's name is refused where another is known, and that is told", "[block]") {
  const FakeMachine machine;
  machine.put_device("vdb", "252:16", "2048");
  machine.put("sys/devices/vdb/serial", "shop-1\n");
  DeviceIdentity device;
  device.kernel_name = "vdb";
  CHECK(lasting_name("/dev/vdb", device) == "/dev/vdb");
  device.serial = "shop-1";
  CHECK(lasting_name("/dev/vdb", device) == "serial:shop-1");
  CHECK(lasting_name("/dev/./vdb", device) == "serial:shop-1");
  CHECK(lasting_name("/dev/shop/pvc-1", device) == "/dev/shop/pvc-1");
  device.wwn = "naa.6001";
  CHECK(lasting_name("/dev/vdb", device) == "wwn:naa.6001");
  device.by_id = {"virtio-shop-1"};
  CHECK(lasting_name("/dev/vdb", device) == "/dev/disk/by-id/virtio-shop-1");
  device.by_id.clear();
  device.whole_disk = "vd";
  CHECK(lasting_name("/dev/vdb", device) == "/dev/vdb");
}

TEST_CASE("A device that is not there, or is several, is overwritten by nobody", "[block]") {
  const FakeMachine machine;
  for (const char* name : {"vdb", "vdc"}) {
    machine.put_device(name, name == std::string("vdb") ? "252:16" : "252:32", "2048");
    machine.put("sys/devices/" + std::string(name) + "/serial", "twin\n");
  }
  const auto error_of = [&](const std::string& device) {
    const FormatAnswer refused =
        answer({"volume", "allow-format", device, "--lose-content"}, machine.directory);
    CHECK(refused.status == 1);
    CHECK(refused.out.empty());
    return refused.error;
  };
  CHECK(error_of("serial:twin") == "holdfast: several disks of this node are serial:twin\n");
  CHECK(error_of("serial:") == "holdfast: this node has no disk serial:\n");
  CHECK(error_of("wwn:naa.1") == "holdfast: this node has no disk wwn:naa.1\n");
  CHECK(error_of("/dev/none").find("/dev/none") != std::string::npos);
  CHECK_FALSE(error_of("/etc/hostname").empty());
}

TEST_CASE("Arguments that cannot be change nothing", "[block]") {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"volume"},
                                                {"volume", "format", "/dev/x"},
                                                {"volume", "allow-format"},
                                                {"volume", "allow-format", ""},
                                                {"volume", "allow-format", "/dev/x", "--force"},
                                                {"volume", "allow-format", "/dev/x", "/dev/y"}}) {
    CHECK(answer(wrong).status == 2);
  }
  const FormatAnswer help = answer({"volume", "--help"});
  CHECK(help.status == 0);
  CHECK(help.out.find("--lose-content") != std::string::npos);
}

}  // namespace
}  // namespace holdfast::block
