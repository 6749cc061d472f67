#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/flags.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "egw-gateway/source/gateway_source.h"

namespace holdfast::gateway {

enum class SourceKind : std::uint8_t { kCrd, kDir };

/// Where a program finds its pool's EdgeGateway.
struct SourceOptions {
  SourceKind kind = SourceKind::kCrd;
  std::filesystem::path config_dir = "/etc/egw/gateways";  ///< for kDir
  std::filesystem::path kubeconfig;                        ///< for kCrd; empty: as a pod
};

/// --source, --config-dir and --kubeconfig. `out` outlives `flags`.
void add_source_flags(Flags& flags, SourceOptions& out);

struct OpenedSource {
  std::unique_ptr<GatewaySource> source;
  std::vector<std::string> servers{};  ///< hosts that packets for the API server go to
};

/// `program` names it to the API server. `loop`, `files` and `metrics` outlive the source. Errors: what no
/// waiting cures, the cure named.
[[nodiscard]] Result<OpenedSource> open_source(const SourceOptions& options, const std::string& pool,
                                               const std::string& program, EventLoop& loop, Files& files,
                                               Metrics& metrics);

}  // namespace holdfast::gateway
