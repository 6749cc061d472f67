#include "common/kube/leading_program.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <optional>

#include "common/base/files.h"
#include "common/base/version.h"
#include "common/http/patient_page_server.h"
#include "common/kube/cluster_link.h"

namespace holdfast::kube {
namespace {

constexpr std::chrono::seconds kToResign{3};

std::string host_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  return host.data();
}

http::Page page_of(const http::RequestHead& head, const std::string& name,
                   const LeadingController& controller, const Metrics& metrics) {
  if (head.path == "/healthz") return {200, name + " is running\n"};
  if (head.path == "/metrics") return {200, metrics.render(), std::string(Metrics::kContentType)};
  if (head.path != "/readyz") return {404, "there are /healthz, /readyz and /metrics\n"};
  if (!controller.ready()) return {503, "the cluster's objects have not been read\n"};
  return {200, controller.leads() ? "leads\n" : "another one leads\n"};
}

}  // namespace

Status run_leading(const LeadingProgram& program,
                   const std::function<std::unique_ptr<LeadingController>(const LeadingContext&)>& make,
                   const Flags::Lookup& environment, Logger& log) {
  SystemClock clock;
  PosixFiles files;
  Metrics metrics;
  HOLDFAST_TRY(const std::optional<Config> config, find_cluster(files, program.kubeconfig, environment));
  if (!config) return fail(Code::kInvalidArgument, "--kubeconfig tells the API server, outside a pod");
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  LeadingController* running = nullptr;
  EventLoop::Timer patience;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT}, [&](int /*number*/) {
    if (running == nullptr) return loop->stop();
    patience = loop->after(kToResign, [&loop] { loop->stop(); });
    running->stop([&loop] { loop->stop(); });
  }));
  HOLDFAST_TRY(const std::unique_ptr<ClusterLink> link,
               ClusterLink::connect(*loop, files, metrics, *config, program.name));
  const std::string host = host_name();
  const std::unique_ptr<LeadingController> controller =
      make({.loop = *loop,
            .http = link->watches(),
            .client = link->client(),
            .log = log,
            .metrics = metrics,
            .config = *config,
            .host = host,
            // a host's name may come again, and so may a process's number
            .identity = host + "_" + std::to_string(link->seed()),
            .seed = link->seed()});
  http::PatientPageServer pages(
      *loop, program.healthz,
      [&](const http::RequestHead& head) { return page_of(head, program.name, *controller, metrics); }, log,
      "--healthz");
  log.info(program.name + " begins", {{"version", version()}});
  pages.start();
  controller->start();
  running = controller.get();
  return loop->run();
}

}  // namespace holdfast::kube
