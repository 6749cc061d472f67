// csi-lvm --mode controller as a program, but for its main(): by its socket, and an API server on loopback.
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "common/csi/proto/csi.grpc.pb.h"
#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/program/csi_lvm.h"
#include "test/catch.h"
#include "test/csi-lvm/cluster/storage_kinds.h"
#include "test/fakes/temporary_folder.h"
#include "test/fakes/wanted_metrics.h"
#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::lvm::test {
namespace {

using namespace std::chrono_literals;
using holdfast::test::ApiServer;
using holdfast::test::FaultKind;
using nlohmann::json;
namespace v1 = ::csi::v1;

constexpr const char* kLease = "/apis/coordination.k8s.io/v1/namespaces/storage/leases/csi-lvm-controller";
constexpr const char* kStorage = "/apis/storage.holdfast.dev/v1alpha1/nodestorages/edge-1";
constexpr const char* kVolume = "/apis/storage.holdfast.dev/v1alpha1/logicalvolumes/pvc-1.0";

std::uint16_t free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  REQUIRE(::bind(socket.get(), generic, size) == 0);
  REQUIRE(::getsockname(socket.get(), generic, &size) == 0);
  return ntohs(address.sin_port);
}

void wait_until(const std::function<bool()>& condition) {
  const auto late = std::chrono::steady_clock::now() + 90s;
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < late);
    std::this_thread::sleep_for(10ms);
  }
}

/// The program on this thread, and who calls it on another.
struct Controller {
  holdfast::test::TemporaryFolder folder;
  holdfast::test::ApiServerThread server;
  std::uint16_t port = free_port();
  std::string socket = folder / "csi.sock";

  Controller() {
    server.with([](ApiServer& api) {
      api.watches().bookmark_period = 20ms;
      define_storage_kinds(api);
    });
    std::ofstream(folder / "kubeconfig") << plain_kubeconfig(server.url());
  }

  int run(const std::function<void()>& user) {
    const std::vector<std::string> arguments{
        "--mode=controller",   "--kubeconfig=" + (folder / "kubeconfig").native(),
        "--namespace=storage", "--endpoint=unix://" + socket,
        "--log-level=error",   "--metrics-address=127.0.0.1:" + std::to_string(port)};
    const pthread_t main_thread = ::pthread_self();
    std::exception_ptr failed;
    std::thread caller([&] {
      try {
        user();
      } catch (...) {
        failed = std::current_exception();
      }
      // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread): blocked there, and read as an event
      ::pthread_kill(main_thread, SIGTERM);
    });
    std::ostringstream out;
    const auto nothing = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };
    const int status = csi_lvm(arguments, nothing, out, out);
    caller.join();
    if (failed) std::rethrow_exception(failed);
    return status;
  }

  template <class Service>
  [[nodiscard]] std::unique_ptr<typename Service::Stub> client() const {
    return Service::NewStub(grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials()));
  }
  [[nodiscard]] bool ready() const {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    v1::ProbeResponse response;
    REQUIRE(client<v1::Identity>()->Probe(&context, {}, &response).ok());
    return response.ready().value();
  }
  [[nodiscard]] grpc::StatusCode capacity() const {
    grpc::ClientContext context;
    v1::GetCapacityResponse response;
    return client<v1::Controller>()->GetCapacity(&context, {}, &response).error_code();
  }
  [[nodiscard]] grpc::StatusCode create() const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    v1::CreateVolumeRequest request;
    request.set_name("pvc-2");
    (*request.mutable_parameters())["vgName"] = "vg";
    v1::VolumeCapability& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
    v1::CreateVolumeResponse response;
    return client<v1::Controller>()->CreateVolume(&context, request, &response).error_code();
  }
  [[nodiscard]] std::string page(const std::string& path) const {
    holdfast::test::HttpScene scene;
    scene.connect({.server = "http://127.0.0.1:" + std::to_string(port)});
    kube::HttpRequest request;
    request.path = path;
    return scene.ask(request).body;
  }
  [[nodiscard]] bool page_has(const std::string& path, const std::string& text) const {
    return page(path).find(text) != std::string::npos;
  }
  std::string lease_holder() {
    return server.with([](ApiServer& api) -> std::string {
      const auto lease = api.find(kLease);
      return lease ? (*lease)["spec"].value("holderIdentity", "?") : "none";
    });
  }
};

TEST_CASE_METHOD(Controller,
                 "the controller answers by the cluster's objects, and leaves its lease at the end",
                 "[lvm program]") {
  server.with([](ApiServer& api) {
    api.fault({.kind = FaultKind::kStatus, .verb = "list", .plural = "nodes", .times = -1, .status = 403});
    api.put(kStorage, {{"spec", {{"topology", {{"kubernetes.io/hostname", "edge-1"}}}}}});
    api.put(kVolume, {{"spec", {{"node", "edge-1"}, {"volumeName", "pvc-1"}}}});
  });
  const auto metric = [](const std::string& name, const std::string& more, int value) {
    return name + "{driver_name=\"localplugin.csi.alibabacloud.com\"" + more + "} " + std::to_string(value) +
           "\n";
  };
  const int status = run([&] {
    wait_until([&] { return std::filesystem::exists(socket); });
    // Until it knows the nodes nothing is said, and nothing decided.
    CHECK_FALSE(ready());
    CHECK(capacity() == grpc::StatusCode::UNAVAILABLE);
    server.with([](ApiServer& api) { api.clear_faults(); });
    wait_until([&] { return ready(); });
    CHECK(capacity() == grpc::StatusCode::OK);
    CHECK(create() == grpc::StatusCode::RESOURCE_EXHAUSTED);
    wait_until([&] { return page_has("/metrics", metric("holdfast_lvm_leads", "", 1)); });
    CHECK(lease_holder().size() > 17);
    CHECK(page_has("/metrics", metric("holdfast_lvm_nodes", ",state=\"fresh\"", 1)));
    CHECK(page_has("/metrics", metric("holdfast_lvm_volumes", ",state=\"pending\"", 1)));
    CHECK(page_has("/metrics", metric("holdfast_lvm_volumes", ",state=\"ready\"", 0)));
    for (const char* name : {"holdfast_lvm_leads", "holdfast_lvm_nodes", "holdfast_lvm_volumes",
                             "csi_plugin_operations_seconds"}) {
      CHECK(holdfast::test::metrics_not_in(page("/metrics"), name).empty());
    }
  });
  CHECK(status == 0);
  CHECK(lease_holder().empty());
  CHECK_FALSE(std::filesystem::exists(socket));
}

}  // namespace
}  // namespace holdfast::lvm::test
