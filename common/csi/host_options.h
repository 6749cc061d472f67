#pragma once

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "common/base/flags.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/http/listen_address.h"

namespace holdfast::csi {

/// What every program that serves drivers is told.
struct HostOptions : ProgramOptions {
  std::string node_id;  ///< this node's name in the cluster
  std::filesystem::path kubelet_dir = "/var/lib/kubelet";
  std::filesystem::path state_dir = "/var/lib/holdfast/csi";
  std::filesystem::path config;  ///< empty: none
  std::optional<http::ListenAddress> metrics_address;
};

/// `out` outlives the flags.
void add_host_flags(Flags& flags, HostOptions& out);

/// Sets what was not told: the node's name from $NODE_NAME, as a pod is told it, else the machine's. Errors:
/// kInvalidArgument for what $NODE_NAME holds and --node-id would refuse.
Status complete(HostOptions& options, const Flags::Lookup& environment);

/// Errors: kInvalidArgument when the node's name cannot be told as the node's topology.
Status check_topology(const HostOptions& options);

/// The path in "unix:///run/csi.sock", "unix:/run/csi.sock" or "/run/csi.sock". Errors: kInvalidArgument.
Result<std::filesystem::path> parse_endpoint(const std::string& text);

/// Says what is wrong with a program's flags, or its help or version, and answers its exit status; nullopt:
/// it may begin. `options` are of those that were parsed.
std::optional<int> answer_before_start(std::string_view program, const Status& parsed,
                                       const HostOptions& options, const std::string& help, std::ostream& out,
                                       std::ostream& error);

}  // namespace holdfast::csi
