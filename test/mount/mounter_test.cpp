#include "common/mount/mounter.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <optional>

#include "common/mount/system_mounter.h"
#include "test/block/loop_device.h"
#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/mount/fake_mounter.h"
#include "test/mount/fresh_mounts.h"

namespace holdfast::mount {
namespace {

using test::FakeMounter;
using test::FreshMounts;
using test::LoopDevice;
using test::output_of;

constexpr std::uint64_t kDisk = std::uint64_t{16} << 20;
constexpr const char* kRoot = "/mnt/kubelet";
constexpr const char* kStage = "/mnt/kubelet/plugins/csi/v1/globalmount";
constexpr const char* kPods = "/mnt/kubelet/pods";
constexpr const char* kTarget = "/mnt/kubelet/pods/mount";
constexpr const char* kOther = "/mnt/kubelet/pods/other";

/// A mounter and the little world around it: two disks with ext4 and a folder for pods.
struct World {
  virtual ~World() = default;
  virtual Mounter& mounter() = 0;
  [[nodiscard]] virtual std::string disk() const = 0;
  [[nodiscard]] virtual std::string other_disk() const = 0;
  virtual void make_folder(const std::string& path) = 0;
  virtual void put_file(const std::string& path) = 0;
  virtual void make_busy(const std::string& target) = 0;
  virtual void release(const std::string& target) = 0;
};

struct FakeWorld final : World {
  FakeWorld() {
    fake.devices = {{"/dev/vda", 1}, {"/dev/vdb", 2}};
    fake.make_folder(kPods);
  }
  Mounter& mounter() override { return fake; }
  [[nodiscard]] std::string disk() const override { return "/dev/vda"; }
  [[nodiscard]] std::string other_disk() const override { return "/dev/vdb"; }
  void make_folder(const std::string& path) override { fake.make_folder(path); }
  void put_file(const std::string& path) override { fake.put_file(path); }
  void make_busy(const std::string& target) override { fake.busy.insert(target); }
  void release(const std::string& target) override { fake.busy.erase(target); }

  FakeMounter fake{kRoot};
};

struct RealWorld final : World {
  RealWorld(Beneath::Method paths, BindMethod binds) {
    FreshMounts::folder("kubelet");
    FreshMounts::folder("kubelet/pods");
    for (const LoopDevice* each : {&first, &second})
      output_of("mke2fs -q -F -t ext4 -O ^has_journal " + each->path());
    real = SystemMounter::open(kRoot, paths, binds).value();
  }
  Mounter& mounter() override { return *real; }
  [[nodiscard]] std::string disk() const override { return first.path(); }
  [[nodiscard]] std::string other_disk() const override { return second.path(); }
  void make_folder(const std::string& path) override { output_of("mkdir -p " + path); }
  void put_file(const std::string& path) override { output_of("echo x >" + path); }
  void make_busy(const std::string& target) override {
    user.reset(::open(target.c_str(), O_RDONLY | O_CLOEXEC));
  }
  void release(const std::string&) override { user.reset(); }

  FreshMounts mounts;
  LoopDevice first{kDisk};
  LoopDevice second{kDisk};
  std::unique_ptr<SystemMounter> real;
  Fd user;
};

// Every case runs with the tests' mounter, with the real one, and with it as on old kernels.
std::unique_ptr<World> any_world() {
  switch (GENERATE(0, 1, 2)) {
    case 0:
      return std::make_unique<FakeWorld>();
    case 1:
      return std::make_unique<RealWorld>(Beneath::Method::kOpenat2, BindMethod::kAside);
    default:
      return std::make_unique<RealWorld>(Beneath::Method::kWalk, BindMethod::kInPlace);
  }
}

StageRequest stage_of(const std::string& device, const std::string& target, unsigned long flags = 0) {
  return {.device = device, .fs_type = "ext4", .target = target, .options = {.flags = flags, .data = {}}};
}

TEST_CASE("A device is staged once, however often it is asked for", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  CHECK(mounter.look(kStage).value() == TargetState::kAbsent);
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  CHECK(mounter.look(kStage).value() == TargetState::kMounted);
  const auto mounts = mounter.mounts().value();
  CHECK(std::ranges::count(*mounts, kStage, &MountEntry::target) == 1);
  CHECK(mounted_at(*mounts, kStage)->source == world->disk());

  CHECK(mounter.stage(stage_of(world->other_disk(), kStage)).error().code == Code::kAlreadyExists);
  CHECK(mounter.stage(stage_of(world->disk(), kStage, MS_RDONLY)).error().code == Code::kAlreadyExists);
  StageRequest as_another = stage_of(world->disk(), kStage);
  as_another.fs_type = "ext3";
  CHECK(mounter.stage(as_another).error().code == Code::kAlreadyExists);
}

TEST_CASE("A staged volume is published to several targets, each as it was asked for", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  CHECK(mounter.publish({kStage, kTarget}).error().code == Code::kFailedPrecondition);
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  CHECK(mounter.publish({kStage, std::string(kPods) + "/none/mount"}).error().code == Code::kNotFound);
  for (int again = 0; again < 2; ++again) {
    REQUIRE(mounter.publish({kStage, kTarget}));
    REQUIRE(mounter.publish({kStage, kOther, true}));
  }
  const auto mounts = mounter.mounts().value();
  CHECK_FALSE(mounted_at(*mounts, kTarget)->read_only());
  CHECK(mounted_at(*mounts, kOther)->read_only());
  CHECK_FALSE(mounted_at(*mounts, kStage)->read_only());
  CHECK(std::ranges::count(*mounts, kTarget, &MountEntry::target) == 1);

  CHECK(mounter.publish({kStage, kTarget, true}).error().code == Code::kAlreadyExists);
  CHECK(mounter.publish({kStage, kOther, false}).error().code == Code::kAlreadyExists);
  const std::string second = "/mnt/kubelet/plugins/csi/v2/globalmount";
  REQUIRE(mounter.stage(stage_of(world->other_disk(), second)));
  CHECK(mounter.publish({second, kTarget}).error().code == Code::kAlreadyExists);
}

TEST_CASE("A part of a staged volume is published as the whole is", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  world->make_folder(std::string(kStage) + "/team/a");
  for (int again = 0; again < 2; ++again) REQUIRE(mounter.publish({kStage, kTarget, false, "team/a"}));
  CHECK(mounted_at(*mounter.mounts().value(), kTarget)->root == "/team/a");
  CHECK(mounter.publish({kStage, kTarget}).error().code == Code::kAlreadyExists);
  CHECK(mounter.publish({kStage, kTarget, false, "team"}).error().code == Code::kAlreadyExists);
}

TEST_CASE("A block device is published as a file", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  for (int again = 0; again < 2; ++again) REQUIRE(mounter.publish_device({world->disk(), kTarget}));
  CHECK(mounter.look(kTarget).value() == TargetState::kMounted);
  CHECK(mounter.publish_device({world->other_disk(), kTarget}).error().code == Code::kAlreadyExists);
  CHECK(mounter.publish_device({world->disk(), std::string(kPods) + "/none/x"}).error().code ==
        Code::kNotFound);
  const Status early = mounter.unstage(kStage, world->disk());
  CHECK(early.error().code == Code::kFailedPrecondition);
  CHECK(early.error().message.find(kTarget) != std::string::npos);
  for (int again = 0; again < 2; ++again) REQUIRE(mounter.unpublish(kTarget));
  CHECK(mounter.look(kTarget).value() == TargetState::kAbsent);
  CHECK(mounter.unstage(kStage, world->disk()));
}

TEST_CASE("Every place at which a device is used is known, and nothing else", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  const auto targets = [&](const std::string& device) {
    std::vector<std::string> out;
    const Mounts mounts = mounter.mounts_of(device).value();
    std::ranges::transform(mounts, std::back_inserter(out), &MountEntry::target);
    return out;
  };
  CHECK(targets(world->disk()).empty());
  CHECK_FALSE(mounter.entry_at(kStage).value().has_value());
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  REQUIRE(mounter.publish({kStage, kTarget, true}));
  REQUIRE(mounter.publish_device({world->other_disk(), kOther}));
  CHECK(targets(world->disk()) == std::vector<std::string>{kStage, kTarget});
  CHECK(targets(world->other_disk()) == std::vector<std::string>{kOther});
  CHECK(targets("/dev/gone").empty());
  CHECK(mounter.mounts_of("/dev/null").error().code == Code::kInvalidArgument);
  CHECK(mounter.entry_at(kStage).value()->source == world->disk());
  CHECK(mounter.entry_at(kTarget).value()->read_only());
  CHECK(mounter.entry_at(kOther).value()->type == "devtmpfs");
  CHECK(mounter.entry_at("/mnt/elsewhere").error().code == Code::kInvalidArgument);
}

TEST_CASE("Options that the kernel refuses are told", "[mount]") {
  RealWorld world(Beneath::Method::kOpenat2, BindMethod::kAside);
  StageRequest wanted = stage_of(world.disk(), kStage);
  wanted.options.data = "data=foo";
  const Status done = world.mounter().stage(wanted);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::kInvalidArgument);
  CHECK(done.error().message.find("its options were 'data=foo'") != std::string::npos);
}

TEST_CASE("A volume's own superblock does not end the node", "[mount]") {
  RealWorld world(Beneath::Method::kOpenat2, BindMethod::kAside);
  output_of("tune2fs -e panic " + world.disk());
  StageRequest wanted = stage_of(world.disk(), kStage);
  wanted.options = parse_mount_options("ext4", {}).value();
  REQUIRE(world.mounter().stage(wanted));
  // The kernel shows what differs from the superblock.
  CHECK(output_of(std::string("grep ' ") + kStage + " ' /proc/mounts").find("errors=remount-ro") !=
        std::string::npos);
}

TEST_CASE("What is not a block device is neither staged nor published", "[mount]") {
  const auto world = any_world();
  CHECK(world->mounter().stage(stage_of("/dev/null", kStage)).error().code == Code::kInvalidArgument);
  CHECK(world->mounter().publish_device({"/dev/null", kTarget}).error().code == Code::kInvalidArgument);
}

TEST_CASE("Unpublishing takes the target away, and nothing that is somebody's", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  REQUIRE(mounter.publish({kStage, kTarget}));
  for (int again = 0; again < 2; ++again) REQUIRE(mounter.unpublish(kTarget));
  CHECK(mounter.look(kTarget).value() == TargetState::kAbsent);
  CHECK(mounter.unpublish("/mnt/kubelet/pods/never/there"));

  world->make_folder(kTarget);
  world->put_file(std::string(kTarget) + "/data");
  CHECK(mounter.unpublish(kTarget).error().code == Code::kFailedPrecondition);
  CHECK(mounter.publish({kStage, kTarget}).error().code == Code::kFailedPrecondition);
  CHECK(mounter.stage(stage_of(world->disk(), kTarget)).error().code == Code::kFailedPrecondition);
  CHECK(mounter.look(kTarget).value() == TargetState::kNotMounted);
}

TEST_CASE("Nothing is mounted on somebody's file", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  world->put_file(kTarget);
  for (const Status& refused :
       {mounter.publish({kStage, kTarget}), mounter.stage(stage_of(world->disk(), kTarget))}) {
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::kFailedPrecondition);
    CHECK(refused.error().message.find(kTarget) != std::string::npos);
  }
}

TEST_CASE("Unstaging succeeds when the device is free, and not before", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  REQUIRE(mounter.publish({kStage, kTarget}));
  for (int again = 0; again < 2; ++again) {
    const Status early = mounter.unstage(kStage, world->disk());
    CHECK(early.error().code == Code::kFailedPrecondition);
    CHECK(early.error().message == world->disk() + " is still mounted at " + kTarget);
  }
  REQUIRE(mounter.unpublish(kTarget));
  for (int again = 0; again < 2; ++again) CHECK(mounter.unstage(kStage, world->disk()));
  CHECK(mounter.look(kStage).value() == TargetState::kNotMounted);
  CHECK(mounter.unstage(kStage, "/dev/gone"));
}

TEST_CASE("A target that is in use stays mounted, and the error says so", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  REQUIRE(mounter.publish({kStage, kTarget}));
  world->make_busy(kTarget);
  const Status busy = mounter.unpublish(kTarget);
  CHECK(busy.error().code == Code::kUnavailable);
  CHECK(busy.error().message == "unmount /mnt/kubelet/pods/mount: Device or resource busy");
  CHECK(mounter.look(kTarget).value() == TargetState::kMounted);
  world->release(kTarget);
  CHECK(mounter.unpublish(kTarget));
}

TEST_CASE("Only paths below the root are touched", "[mount]") {
  const auto world = any_world();
  Mounter& mounter = world->mounter();
  const std::string path = GENERATE("/mnt/elsewhere", "/mnt/kubelet", "/mnt/kubelet/pods/../../etc",
                                    "relative", "", "/mnt/kubelet2/x", "/mnt/kubelet/..");
  CAPTURE(path);
  CHECK(mounter.stage(stage_of(world->disk(), path)).error().code == Code::kInvalidArgument);
  CHECK(mounter.unpublish(path).error().code == Code::kInvalidArgument);
  CHECK(mounter.unstage(path, world->disk()).error().code == Code::kInvalidArgument);
  CHECK(mounter.publish_device({world->disk(), path}).error().code == Code::kInvalidArgument);
  CHECK(mounter.look(path).error().code == Code::kInvalidArgument);
}

// What only a kernel can show.

std::unique_ptr<RealWorld> real_world() {
  return GENERATE(true, false) ? std::make_unique<RealWorld>(Beneath::Method::kOpenat2, BindMethod::kAside)
                               : std::make_unique<RealWorld>(Beneath::Method::kWalk, BindMethod::kInPlace);
}

TEST_CASE("No symbolic link is followed, whichever part of a target is one", "[mount]") {
  const auto world = real_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  output_of(
      "mkdir -p /mnt/victim/inside && ln -s /mnt/victim /mnt/kubelet/pods/link && ln -s inside "
      "/mnt/victim/relative && mkdir /mnt/kubelet/pods/real && ln -s real /mnt/kubelet/pods/beside");
  for (const char* path :
       {"/mnt/kubelet/pods/link", "/mnt/kubelet/pods/link/inside", "/mnt/kubelet/pods/link/new",
        "/mnt/kubelet/pods/beside", "/mnt/kubelet/pods/beside/new"}) {
    CAPTURE(path);
    CHECK(mounter.publish({kStage, path}).error().code == Code::kInvalidArgument);
    CHECK(mounter.publish_device({world->disk(), path}).error().code == Code::kInvalidArgument);
    CHECK(mounter.stage(stage_of(world->other_disk(), path)).error().code == Code::kInvalidArgument);
    CHECK(mounter.unpublish(path).error().code == Code::kInvalidArgument);
  }
  CHECK(output_of("find /mnt/victim | sort") == "/mnt/victim\n/mnt/victim/inside\n/mnt/victim/relative\n");
  CHECK(output_of("readlink /mnt/kubelet/pods/link") == "/mnt/victim\n");
}

TEST_CASE("The root may be a link itself", "[mount]") {
  const FreshMounts mounts;
  FreshMounts::folder("data");
  output_of("ln -s /mnt/data /mnt/kubelet; mkdir /mnt/data/pods");
  const LoopDevice disk(kDisk);
  output_of("mke2fs -q -F -t ext4 " + disk.path());
  const auto mounter = make_mounter(kRoot).value();
  for (int again = 0; again < 2; ++again) REQUIRE(mounter->stage(stage_of(disk.path(), kStage)));
  CHECK(mounter->look(kStage).value() == TargetState::kMounted);
  CHECK(mounted_at(*mounter->mounts().value(), "/mnt/data/plugins/csi/v1/globalmount") != nullptr);
  CHECK(mounter->mounts_of(disk.path()).value().at(0).target == kStage);
  CHECK(mounter->unstage(kStage, disk.path()));
}

TEST_CASE("A read-only publish cannot be written, and the others can", "[mount]") {
  const auto world = real_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage, MS_NOEXEC | MS_NOATIME)));
  REQUIRE(mounter.publish({kStage, kTarget}));
  REQUIRE(mounter.publish({kStage, kOther, true}));
  output_of("echo kept >/mnt/kubelet/pods/mount/file");
  CHECK(output_of("cat /mnt/kubelet/pods/other/file") == "kept\n");
  CHECK_THROWS(output_of("echo x >/mnt/kubelet/pods/other/file"));
  const std::string options = mounted_at(*mounter.mounts().value(), kOther)->options;
  CHECK(options.find("noexec") != std::string::npos);
  CHECK(options.find("noatime") != std::string::npos);
}

TEST_CASE("A published device is the device", "[mount]") {
  const auto world = real_world();
  REQUIRE(world->mounter().publish_device({world->disk(), kTarget}));
  output_of(std::string("printf raw | dd oflag=direct conv=sync bs=4096 of=") + kTarget);
  CHECK(output_of("head -c 3 " + world->disk()) == "raw");
  // As LVM names its volumes below /dev, while the node that is bound has another name.
  output_of("ln -s " + world->disk() + " /mnt/link");
  CHECK(world->mounter().mounts_of("/mnt/link").value().size() == 1);
  const Status early = world->mounter().unstage(kStage, "/mnt/link");
  CHECK(early.error().code == Code::kFailedPrecondition);
}

TEST_CASE("Everything that is stacked on a target is taken away", "[mount]") {
  const auto world = real_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  REQUIRE(mounter.publish({kStage, kTarget}));
  output_of(std::string("mount -t tmpfs over ") + kTarget + " && mount --bind " + kStage + " " + kTarget);
  CHECK(mounter.unpublish(kTarget));
  CHECK(mounter.look(kTarget).value() == TargetState::kAbsent);
}

TEST_CASE("A device that another mount namespace has mounted is not free", "[mount]") {
  const auto world = real_world();
  Mounter& mounter = world->mounter();
  REQUIRE(mounter.stage(stage_of(world->disk(), kStage)));
  // As a container that was started after the mount and does not hear of the unmount.
  const std::string pid = output_of("unshare -m --propagation private sleep 60 >/dev/null 2>&1 & echo $!");
  REQUIRE_NOTHROW(
      output_of("for i in $(seq 200); do test \"$(readlink /proc/" + pid.substr(0, pid.size() - 1) +
                "/ns/mnt)\" = \"$(readlink /proc/self/ns/mnt)\" || exit 0; sleep 0.01; done; exit 1"));
  const Status early = mounter.unstage(kStage, world->disk());
  CHECK(early.error().code == Code::kFailedPrecondition);
  CHECK(early.error().message.find("another mount namespace") != std::string::npos);
  ::kill(std::stoi(pid), SIGKILL);
  REQUIRE_NOTHROW(output_of("for i in $(seq 200); do test -e /proc/" + pid.substr(0, pid.size() - 1) +
                            "/ns/mnt || exit 0; sleep 0.01; done; exit 1"));
  CHECK(mounter.unstage(kStage, world->disk()));
}

TEST_CASE("Publishing reaches other mount namespaces as the folder's propagation says", "[mount]") {
  const auto world = real_world();
  output_of(
      "mount --bind /mnt/kubelet /mnt/kubelet && mount --make-shared /mnt/kubelet && mkdir /mnt/peer && "
      "mount --bind /mnt/kubelet /mnt/peer");
  const auto mounter = make_mounter(kRoot).value();
  REQUIRE(mounter->stage(stage_of(world->disk(), kStage)));
  REQUIRE(mounter->publish({kStage, kTarget, true}));
  const auto mounts = mounter->mounts().value();
  REQUIRE(mounted_at(*mounts, "/mnt/peer/pods/mount") != nullptr);
  CHECK(mounted_at(*mounts, "/mnt/peer/pods/mount")->read_only());
  REQUIRE(mounter->unpublish(kTarget));
  CHECK(mounted_at(*mounter->mounts().value(), "/mnt/peer/pods/mount") == nullptr);
}

TEST_CASE("The mount table is read only when it changed", "[mount]") {
  const FreshMounts mounts;
  const auto table = MountTable::open().value();
  const auto first = table->now().value();
  for (int i = 0; i < 10; ++i) CHECK(table->now().value() == first);
  const std::uint64_t reads = table->reads();
  const std::string path = FreshMounts::folder("with blank\\and\ttab");
  REQUIRE(::mount("none", path.c_str(), "tmpfs", MS_NOSUID, nullptr) == 0);
  const auto second = table->now().value();
  REQUIRE(mounted_at(*second, path) != nullptr);
  CHECK(mounted_at(*second, path)->options == "rw,nosuid,relatime");
  CHECK(mounted_at(*first, path) == nullptr);
  CHECK(table->reads() > reads);
  REQUIRE(::umount(path.c_str()) == 0);
  CHECK(mounted_at(*table->now().value(), path) == nullptr);
}

}  // namespace
}  // namespace holdfast::mount
