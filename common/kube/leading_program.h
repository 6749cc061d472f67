#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/flags.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/http/listen_address.h"
#include "common/kube/config.h"
#include "common/kube/http.h"
#include "common/kube/object_client.h"

namespace holdfast::kube {

/// A controller of which one of several replicas acts (LeaderElection). Belongs to the event loop.
class LeadingController {
 public:
  LeadingController() = default;
  LeadingController(const LeadingController&) = delete;
  LeadingController& operator=(const LeadingController&) = delete;
  virtual ~LeadingController() = default;

  virtual void start() = 0;
  /// Ends what is under way, and frees the lease for another; `done` comes when that was tried.
  virtual void stop(std::function<void()> done) = 0;
  /// The cluster has been read.
  [[nodiscard]] virtual bool ready() const = 0;
  [[nodiscard]] virtual bool leads() const = 0;
};

/// What a controller is made of. All outlive it.
struct LeadingContext {
  EventLoop& loop;
  Http& http;  ///< for watches alone, another than that of `client`
  ObjectClient& client;
  Logger& log;
  Metrics& metrics;
  const Config& config;
  std::string host;      ///< that Events come from
  std::string identity;  ///< of no other process, also of none that was
  std::uint64_t seed;    ///< another for every process
};

struct LeadingProgram {
  std::string name{};                  ///< "egw-controller": its User-Agent, and what its pages call it
  std::filesystem::path kubeconfig{};  ///< empty: as a pod
  http::ListenAddress healthz{};       ///< of /healthz, /readyz and /metrics; port 0: not served
};

/// Runs the controller that `make` makes until SIGTERM or SIGINT, and frees its lease then. Errors: what no
/// waiting cures, with the cure.
Status run_leading(const LeadingProgram& program,
                   const std::function<std::unique_ptr<LeadingController>(const LeadingContext&)>& make,
                   const Flags::Lookup& environment, Logger& log);

}  // namespace holdfast::kube
