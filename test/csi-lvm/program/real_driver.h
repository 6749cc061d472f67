#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/base/fd.h"
#include "common/base/spawn.h"
#include "common/csi/proto/csi.grpc.pb.h"
#include "test/block/disk_tools.h"
#include "test/catch.h"

/// csi-lvm as it is shipped, called by its socket, in a guest that has the volume group "suite".
namespace holdfast::lvm::test {

namespace fs = std::filesystem;
namespace v1 = ::csi::v1;
using holdfast::test::kMiB;

inline const std::string kSocket = "/run/story/csi.sock";
inline const std::string kStaging = "/var/lib/kubelet/plugins/kubernetes.io/csi/story/globalmount";
inline const std::string kPod = "/var/lib/kubelet/pods/story";
inline const std::string kTarget = kPod + "/mount";

/// One of its programs, until it is killed.
class Program {
 public:
  Program() : Program(kSocket, {"--node-id=edge-1"}) {}
  Program(std::string socket, std::vector<std::string> arguments)
      : socket_(std::move(socket)), arguments_(std::move(arguments)) {
    arguments_.push_back("--endpoint=unix://" + socket_);
    start();
  }
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
    std::vector<std::string> words{std::string(folder) + "/csi-lvm"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    process_ = spawn.start(words, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}).value();
  }
  void end(int signal) {
    if (process_ == 0) return;
    ::kill(process_, signal);
    int status = 0;
    ::waitpid(std::exchange(process_, 0), &status, 0);
  }
  void die() {
    end(SIGKILL);
    fs::remove(socket_);  // who connects waits for the next one
  }
  void crash() {
    die();
    start();
  }

 private:
  std::string socket_;
  std::vector<std::string> arguments_;
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
  std::string snapshot = {};  ///< that it is made of
  std::string staging = kStaging;
  std::string target = kTarget;

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

  explicit Caller(Volume volume, std::string controller = kSocket, std::string node = kSocket)
      : volume_(std::move(volume)), controller_socket_(std::move(controller)), node_socket_(std::move(node)) {
    fs::create_directories(kPod);
  }

  grpc::Status create() {
    v1::CreateVolumeRequest request;
    request.set_name(volume_.id);
    request.mutable_capacity_range()->set_required_bytes(static_cast<std::int64_t>(volume_.bytes));
    *request.add_volume_capabilities() = volume_.capability();
    (*request.mutable_parameters())["vgName"] = "suite";
    if (!volume_.snapshot.empty()) {
      request.mutable_volume_content_source()->mutable_snapshot()->set_snapshot_id(volume_.snapshot);
    }
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
    request.set_staging_target_path(volume_.staging);
    *request.mutable_volume_capability() = volume_.capability();
    if (volume_.encrypted) (*request.mutable_secrets())["encryptionPassphrase"] = "open sesame";
    return call<v1::NodeStageVolumeResponse>(&Client<v1::Node>::NodeStageVolume, *node(), request);
  }
  grpc::Status unstage() {
    v1::NodeUnstageVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.set_staging_target_path(volume_.staging);
    return call<v1::NodeUnstageVolumeResponse>(&Client<v1::Node>::NodeUnstageVolume, *node(), request);
  }
  grpc::Status publish() {
    v1::NodePublishVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.set_staging_target_path(volume_.staging);
    request.set_target_path(volume_.target);
    *request.mutable_volume_capability() = volume_.capability();
    return call<v1::NodePublishVolumeResponse>(&Client<v1::Node>::NodePublishVolume, *node(), request);
  }
  grpc::Status unpublish() {
    v1::NodeUnpublishVolumeRequest request;
    request.set_volume_id(volume_.id);
    request.set_target_path(volume_.target);
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
    on_node.set_volume_path(volume_.target);
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
    request.set_volume_path(volume_.target);
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
  static std::shared_ptr<grpc::Channel> channel(const std::string& socket) {
    // One that is lost is made anew at once, not after a second.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 10);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 50);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
  }
  [[nodiscard]] std::unique_ptr<Client<v1::Controller>> controller() const {
    return v1::Controller::NewStub(channel(controller_socket_));
  }
  [[nodiscard]] std::unique_ptr<Client<v1::Node>> node() const {
    return v1::Node::NewStub(channel(node_socket_));
  }

  template <class Method, class To, class Request, class Response>
  static grpc::Status call(Method method, To& to, const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    context.set_wait_for_ready(true);
    return (to.*method)(&context, request, &response);
  }
  template <class Response, class Method, class To, class Request>
  static grpc::Status call(Method method, To& to, const Request& request) {
    Response response;
    return call(method, to, request, response);
  }

  Volume volume_;
  std::string controller_socket_;
  std::string node_socket_;
};

}  // namespace holdfast::lvm::test
