#include "common/csi/server.h"

#include <functional>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <random>
#include <utility>
#include <vector>

#include "common/csi/kept_socket.h"
#include "common/csi/registration.h"
#include "common/csi/wire/calls.h"
#include "common/csi/wire/services.h"

namespace holdfast::csi {
namespace {

/// In the form that people tell a list in.
std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

}  // namespace

class DriverServer::State {
 public:
  State(const Context& context, ServedDriver driver)
      : context_(context),
        driver_(std::move(driver)),
        calls_({context.log, context.metrics, context.clock, context.holds}, driver_.profile.driver_name,
               {.stages = driver_.stages}) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    close_sockets();
    calls_.close();
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
  }

  Status start() {
    const KeptSocket::Context sockets{context_.loop, context_.files, context_.log};
    const auto serve = [this](Fd fd) { grpc::AddInsecureChannelFromFd(server_.get(), fd.release()); };
    csi_socket_.emplace(sockets, KeptSocket::Place{driver_.socket, KeptSocket::Folder::kOurs}, serve);
    if (driver_.registration_socket) {
      registration_socket_.emplace(
          sockets, KeptSocket::Place{*driver_.registration_socket, KeptSocket::Folder::kOthers}, serve);
      registration_.emplace(context_.loop, context_.log, context_.metrics, *registration_socket_,
                            Registration::Driver{driver_.profile.driver_name, driver_.endpoint},
                            std::random_device()());
    }
    HOLDFAST_CHECK(start_grpc());
    // Who is told of the driver can call it.
    HOLDFAST_CHECK(csi_socket_->open());
    return registration_socket_ ? registration_socket_->open() : Status();
  }

  Status stop(std::chrono::milliseconds patience) {
    close_sockets();
    calls_.close();
    const std::vector<std::string> running = calls_.wait_until_idle(patience);
    if (running.empty()) return {};
    return fail(Code::kDeadlineExceeded, driver_.profile.driver_name + ": runs still: " + joined(running));
  }

 private:
  Status start_grpc() {
    services_.push_back(identity_service(calls_, driver_));
    if (driver_.controller != nullptr) services_.push_back(controller_service(calls_, *driver_.controller));
    if (driver_.node != nullptr) services_.push_back(node_service(calls_, *driver_.node));
    if (registration_) services_.push_back(registration_service(*registration_));
    grpc::ServerBuilder builder;
    for (const std::unique_ptr<grpc::Service>& service : services_) builder.RegisterService(service.get());
    grpc::ResourceQuota quota(driver_.profile.driver_name);
    quota.SetMaxThreads(kMaxThreads);
    builder.SetResourceQuota(quota);
    // A thread waits for calls, and a second that a call has started: with one alone each call starts
    // another, and ends it.
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
    server_ = builder.BuildAndStart();
    if (!server_) return fail(Code::kInternal, driver_.profile.driver_name + ": gRPC does not start");
    return {};
  }

  void close_sockets() {
    if (registration_) registration_->end();
    registration_socket_.reset();
    csi_socket_.reset();
  }

  Context context_;
  ServedDriver driver_;
  Calls calls_;
  std::optional<KeptSocket> csi_socket_;
  std::optional<KeptSocket> registration_socket_;
  std::optional<Registration> registration_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;  // the first to end
};

Result<std::unique_ptr<DriverServer>> DriverServer::start(const Context& context, ServedDriver driver) {
  auto state = std::make_unique<State>(context, std::move(driver));
  HOLDFAST_CHECK(state->start());
  return std::unique_ptr<DriverServer>(new DriverServer(std::move(state)));
}

DriverServer::DriverServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
DriverServer::~DriverServer() = default;

Status DriverServer::stop(std::chrono::milliseconds patience) { return state_->stop(patience); }

}  // namespace holdfast::csi
