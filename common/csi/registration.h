#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/csi/kept_socket.h"

namespace holdfast::csi {

/// Makes a driver known to the kubelet of this node, without a sidecar. Kubelet finds the socket in its
/// folder plugins_registry, asks who is there, and tells what came of it. It looks at its folder when it
/// starts, so its restart needs nothing of us; when it tells that it failed, the socket is made anew after a
/// while, which kubelet sees as another driver to register.
/// Source: kubelet's plugin manager (pkg/kubelet/pluginmanager), pluginregistration.proto.
class Registration {
 public:
  static constexpr std::string_view kType = "CSIPlugin";
  static constexpr std::string_view kVersion = "1.0.0";  ///< of CSI, the one that all kubelets ask for

  struct Driver {
    std::string name;
    std::string endpoint;  ///< path of the socket that speaks CSI, as kubelet sees it
  };

  /// All outlive it; `metrics` gets holdfast_csi_registered. Lives on the event loop's thread.
  Registration(EventLoop& loop, Logger& log, Metrics& metrics, KeptSocket& socket, Driver driver,
               std::uint64_t seed);
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() = default;

  /// What kubelet asks for. From any thread.
  [[nodiscard]] const Driver& driver() const { return driver_; }
  /// What kubelet tells; `error` when not `registered`. From any thread; acted upon in the loop's next turn.
  void notified(bool registered, std::string error);
  /// From now on what kubelet tells is not acted upon, and the socket may end.
  void end();

 private:
  void registered();
  void refused(const std::string& error);

  EventLoop& loop_;
  Logger& log_;
  Gauge& gauge_;
  KeptSocket& socket_;
  const Driver driver_;
  Backoff backoff_;
  EventLoop::Timer again_;
  bool ended_ = false;
  // What is posted may be called after this has ended: it looks here first.
  std::shared_ptr<Registration*> self_;
};

}  // namespace holdfast::csi
