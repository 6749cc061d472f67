#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "common/base/fd.h"
#include "common/base/spawn.h"
#include "common/csi/proto/csi.grpc.pb.h"
#include "test/block/disk_tools.h"
#include "test/catch.h"
#include "test/fakes/shell.h"

// csi-lvm as it is shipped, called by its socket, in the guest that test/kernel/guest/csi_lvm.sh prepares.
namespace holdfast::lvm {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::csi::v1;
using SteadyClock = std::chrono::steady_clock;
using holdfast::test::kMiB;
using holdfast::test::output_of;
using std::chrono::milliseconds;

const std::string kSocket = "/run/story/csi.sock";
const std::string kStaging = "/var/lib/kubelet/plugins/kubernetes.io/csi/story/globalmount";
const std::string kPod = "/var/lib/kubelet/pods/story";
const std::string kTarget = kPod + "/mount";
constexpr std::uint64_t kKeptMiB = 4;

/// The program, until it is killed.
class Program {
 public:
  Program() { start(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { end(SIGTERM); }

  void start() {
    const char* folder = std::getenv("HOLDFAST_BIN");
    if (folder == nullptr) throw std::runtime_error("HOLDFAST_BIN does not tell where csi-lvm is");
    const Fd log(::open("/tmp/story.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    Spawn spawn;
    spawn.give_nothing(0);
    spawn.give(log.get(), 1);
    spawn.give(log.get(), 2);
    process_ =
        spawn
            .start({std::string(folder) + "/csi-lvm", "--node-id=edge-1", "--endpoint=unix://" + kSocket},
                   {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
            .value();
  }
  void end(int signal) {
    ::kill(process_, signal);
    int status = 0;
    ::waitpid(process_, &status, 0);
  }
  void crash() {
    end(SIGKILL);
    fs::remove(kSocket);  // who connects waits for the next one
    start();
  }

 private:
  pid_t process_ = 0;
};

template <class Service>
using Client = typename Service::Stub;

/// What kubelet and the provisioner ask for, of one volume.
struct Volume {
  std::string id = "pvc-1";
  std::string fs_type = "ext4";  ///< empty: a raw one
  std::uint64_t bytes = 64 * kMiB;
  bool encrypted = false;

  [[nodiscard]] v1::VolumeCapability capability() const {
    v1::VolumeCapability out;
    out.mutable_access_mode()->set_mode(v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
    if (fs_type.empty()) {
      out.mutable_block();
    } else {
      out.mutable_mount()->set_fs_type(fs_type);
    }
    return out;
  }
};

class Caller {
 public:
  using Step = std::function<grpc::Status()>;

  explicit Caller(Volume volume) : volume_(std::move(volume)) { fs::create_directories(kPod); }

  grpc::Status create() {
    v1::CreateVolumeRequest request;
    request.set_name(volume_.id);
    request.mutable_capacity_range()->set_required_bytes(static_cast<std::int64_t>(volume_.bytes));
    *request.add_volume_capabilities() = volume_.capability();
    (*request.mutable_parameters())["vgName"] = "suite";
    (*request.mutable_parameters())["encrypted"] = volume_.encrypted ? "true" : "false";
    return call<v1::CreateVolumeResponse>(&Client<v1::Controller>::CreateVolume, *controller(), request);
  }
  grpc::Status remove() {
    v1::DeleteVolumeRequest request;
    request.set_volume_id(volume_.id);
    return call<v1::DeleteVolumeResponse>(&Client<v1::Controller>::DeleteVolume, *controller(), request);
  }
  grpc::Status stage() {
    v1::NodeStageVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.set_staging_target_path(kStaging);
    *request.mutable_volume_capability() = volume_.capability();
    if (volume_.encrypted) (*request.mutable_secrets())["encryptionPassphrase"] = "open sesame";
    return call<v1::NodeStageVolumeResponse>(&Client<v1::Node>::NodeStageVolume, *node(), request);
  }
  grpc::Status unstage() {
    v1::NodeUnstageVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.set_staging_target_path(kStaging);
    return call<v1::NodeUnstageVolumeResponse>(&Client<v1::Node>::NodeUnstageVolume, *node(), request);
  }
  grpc::Status publish() {
    v1::NodePublishVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.set_staging_target_path(kStaging);
    request.set_target_path(kTarget);
    *request.mutable_volume_capability() = volume_.capability();
    return call<v1::NodePublishVolumeResponse>(&Client<v1::Node>::NodePublishVolume, *node(), request);
  }
  grpc::Status unpublish() {
    v1::NodeUnpublishVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.set_target_path(kTarget);
    return call<v1::NodeUnpublishVolumeResponse>(&Client<v1::Node>::NodeUnpublishVolume, *node(), request);
  }
  /// Larger by 32 MiB, on both sides.
  grpc::Status expand() {
    const auto bytes = static_cast<std::int64_t>(volume_.bytes + 32 * kMiB);
    v1::ControllerExpandVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.mutable_capacity_range()->set_required_bytes(bytes);
    *request.mutable_volume_capability() = volume_.capability();
    grpc::Status done = call<v1::ControllerExpandVolumeResponse>(
        &Client<v1::Controller>::ControllerExpandVolume, *controller(), request);
    if (!done.ok()) return done;
    v1::NodeExpandVolumeRequest on_node;
    on_node.set_volume_id(volume_.id);
    on_node.set_volume_path(kTarget);
    on_node.mutable_capacity_range()->set_required_bytes(bytes);
    return call<v1::NodeExpandVolumeResponse>(&Client<v1::Node>::NodeExpandVolume, *node(), on_node);
  }
  grpc::Status snapshot() {
    v1::CreateSnapshotRequest request;
    request.set_name("snap-1");
    request.set_source_volume_id(volume_.id);
    return call<v1::CreateSnapshotResponse>(&Client<v1::Controller>::CreateSnapshot, *controller(), request);
  }
  grpc::Status remove_snapshot() {
    v1::DeleteSnapshotRequest request;
    request.set_snapshot_id("snap-1");
    return call<v1::DeleteSnapshotResponse>(&Client<v1::Controller>::DeleteSnapshot, *controller(), request);
  }
  v1::NodeGetVolumeStatsResponse stats() {
    v1::NodeGetVolumeStatsRequest request;
    request.set_volume_id(volume_.id);
    request.set_volume_path(kTarget);
    v1::NodeGetVolumeStatsResponse response;
    expect(call(&Client<v1::Node>::NodeGetVolumeStats, *node(), request, response));
    return response;
  }
  [[nodiscard]] int volumes() {
    v1::ListVolumesResponse response;
    expect(call(&Client<v1::Controller>::ListVolumes, *controller(), v1::ListVolumesRequest(), response));
    return response.entries_size();
  }
  static void expect(const grpc::Status& done) {
    INFO(done.error_message());
    REQUIRE(done.ok());
  }

 private:
  static std::shared_ptr<grpc::Channel> channel() {
    // One that is lost is made anew at once, not after a second.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 10);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 50);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + kSocket, grpc::InsecureChannelCredentials(), arguments);
  }
  static std::unique_ptr<Client<v1::Controller>> controller() { return v1::Controller::NewStub(channel()); }
  static std::unique_ptr<Client<v1::Node>> node() { return v1::Node::NewStub(channel()); }

  template <class Method, class To, class Request, class Response>
  static grpc::Status call(Method method, To& to, const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    context.set_wait_for_ready(true);
    return (to.*method)(&context, request, &response);
  }
  template <class Response, class Method, class To, class Request>
  static grpc::Status call(Method method, To& to, const Request& request) {
    Response response;
    return call(method, to, request, response);
  }

  Volume volume_;
};

void write_data() {
  std::string bytes(kKeptMiB * kMiB, 'x');
  const std::string path = fs::is_directory(kTarget) ? kTarget + "/kept" : kTarget;
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  REQUIRE(::fsync(fd.get()) == 0);
}

void check_data() {
  const std::string path = fs::is_directory(kTarget) ? kTarget + "/kept" : kTarget;
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kKeptMiB * kMiB, ' ');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(bytes == std::string(kKeptMiB * kMiB, 'x'));
}

std::string mounts_left() { return output_of("grep -c 'pvc-' /proc/self/mountinfo || true"); }
std::string volumes_left() { return output_of("ls /dev/mapper | grep -c pvc || true"); }

void live(const Volume& volume) {
  CAPTURE(volume.id);
  Caller caller(volume);
  for (int again = 0; again < 2; ++again) Caller::expect(caller.create());
  for (int again = 0; again < 2; ++again) Caller::expect(caller.stage());
  for (int again = 0; again < 2; ++again) Caller::expect(caller.publish());
  write_data();
  const v1::NodeGetVolumeStatsResponse before = caller.stats();
  CHECK_FALSE(before.volume_condition().abnormal());
  const bool raw = volume.fs_type.empty();
  CHECK(before.usage_size() == (raw ? 1 : 2));
  for (int again = 0; again < 2; ++again) Caller::expect(caller.expand());
  if (!raw)
    CHECK(test::total_bytes(kTarget) > static_cast<std::uint64_t>(before.usage(0).total()) + 16 * kMiB);
  for (int again = 0; again < 2; ++again) Caller::expect(caller.snapshot());
  CHECK(caller.unstage().error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  CHECK(caller.remove().error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  for (int again = 0; again < 2; ++again) Caller::expect(caller.remove_snapshot());
  check_data();
  for (int again = 0; again < 2; ++again) Caller::expect(caller.unpublish());
  for (int again = 0; again < 2; ++again) Caller::expect(caller.unstage());
  Caller::expect(caller.stage());
  Caller::expect(caller.publish());
  check_data();
  Caller::expect(caller.unpublish());
  Caller::expect(caller.unstage());
  for (int again = 0; again < 2; ++again) Caller::expect(caller.remove());
  CHECK(caller.volumes() == 0);
  CHECK(mounts_left() == "0\n");
  CHECK(volumes_left() == "0\n");
}

TEST_CASE("a volume of each kind lives its life, and nothing of it stays", "[life]") {
  const Program program;
  live({"pvc-ext4", "ext4", 64 * kMiB});
  live({"pvc-xfs", "xfs", 304 * kMiB});
  live({"pvc-raw", "", 16 * kMiB});
  live({"pvc-secret", "ext4", 64 * kMiB, true});
}

void deactivate(const Volume& volume) {
  output_of(
      "lvchange --config 'activation/udev_sync=0 activation/udev_rules=0 devices/use_devicesfile=1' "
      "--devicesfile holdfast.devices --activate n suite/" +
      volume.id);
  REQUIRE(volumes_left() == "0\n");
}

TEST_CASE("a volume's device appears at the start, and when a disk comes", "[life]") {
  const Volume volume{"pvc-disk", "ext4", 16 * kMiB};
  Program program;
  Caller caller(volume);
  Caller::expect(caller.create());
  deactivate(volume);
  program.crash();
  CHECK(caller.volumes() == 1);  // answered when the start is over
  CHECK(volumes_left() == "1\n");
  deactivate(volume);
  // As the kernel tells of a disk that was plugged in.
  output_of("echo add >/sys/block/loop0/uevent");
  const auto late = SteadyClock::now() + std::chrono::seconds(20);
  while (volumes_left() == "0\n" && SteadyClock::now() < late) std::this_thread::sleep_for(milliseconds(20));
  CHECK(volumes_left() == "1\n");
  Caller::expect(caller.remove());
}

/// Makes a call, kills the program meanwhile, and makes the call again until it is answered.
void interrupt(Program& program, const Caller::Step& step, milliseconds after) {
  std::thread first([&step] { static_cast<void>(step()); });
  std::this_thread::sleep_for(after);
  program.crash();
  first.join();
  grpc::Status again = step();
  for (int more = 0; !again.ok() && more < 20; ++more) {
    std::this_thread::sleep_for(milliseconds(50));
    again = step();
  }
  Caller::expect(again);
}

TEST_CASE("killed within any call, the program finishes it when it is asked again", "[killed]") {
  constexpr milliseconds kAfter{30};
  Program program;
  Caller caller(Volume{"pvc-killed", "ext4", 64 * kMiB});
  interrupt(
      program, [&] { return caller.create(); }, kAfter);
  interrupt(
      program, [&] { return caller.stage(); }, kAfter);
  interrupt(
      program, [&] { return caller.publish(); }, kAfter);
  write_data();
  interrupt(
      program, [&] { return caller.expand(); }, kAfter);
  CHECK_FALSE(caller.stats().volume_condition().abnormal());
  check_data();
  interrupt(
      program, [&] { return caller.unpublish(); }, kAfter);
  interrupt(
      program, [&] { return caller.unstage(); }, kAfter);
  Caller::expect(caller.stage());
  Caller::expect(caller.publish());
  check_data();
  Caller::expect(caller.unpublish());
  Caller::expect(caller.unstage());
  interrupt(
      program, [&] { return caller.remove(); }, kAfter);
  CHECK(caller.volumes() == 0);
  CHECK(mounts_left() == "0\n");
  CHECK(volumes_left() == "0\n");
}

double timed(const std::function<void()>& work) {
  const auto begin = SteadyClock::now();
  work();
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
}

TEST_CASE("staging a volume that has its file system takes as long as mount(8), and 60 ms at most",
          "[cost]") {
  constexpr int kRounds = 9;
  constexpr double kMore = 60;
  const Program program;
  Caller caller(Volume{"pvc-cost", "ext4", 64 * kMiB});
  Caller::expect(caller.create());
  Caller::expect(caller.stage());
  Caller::expect(caller.unstage());
  std::vector<double> ours;
  std::vector<double> theirs;
  for (int i = 0; i < kRounds; ++i) {
    ours.push_back(timed([&] { Caller::expect(caller.stage()); }));
    Caller::expect(caller.unstage());
    theirs.push_back(timed([] { output_of("mount -t ext4 /dev/suite/pvc-cost /mnt"); }));
    output_of("umount /mnt");
  }
  std::ranges::sort(ours);
  std::ranges::sort(theirs);
  std::cout << "# NodeStage " << ours[kRounds / 2] << " ms (least " << ours.front() << "), mount(8) "
            << theirs[kRounds / 2] << " ms (least " << theirs.front() << ")\n";
  CHECK(ours.front() <= theirs.front() + kMore);  // what else the machine does only adds to the others
  Caller::expect(caller.remove());
}

}  // namespace
}  // namespace holdfast::lvm
