#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iosfwd>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/flags.h"
#include "common/cloud/sim/front.h"

namespace holdfast::cloud::sim {

/// What every simulated cloud is told on its command line.
struct SimulatorOptions {
  std::uint16_t port = 0;
  std::filesystem::path state;
  Credentials account{.id = "sim-id", .secret = "sim-secret"};
  std::chrono::seconds settling{};
  bool help = false;
};

/// --port, --state, --access-key-id, --access-key-secret, --settling, --help.
void add_simulator_flags(Flags& flags, SimulatorOptions& into);

/// Serves until SIGTERM or SIGINT; tells "http://127.0.0.1:PORT" in a line of `out` when it does. All outlive
/// it. Errors: kInvalidArgument without --state; those of Front::open and Server::listen.
Status run_simulator(const SimulatorOptions& options, SimService& service, Clock& clock, Files& files,
                     std::ostream& out);

/// A simulator's main: what `flags` says is read into `options`, help is told, errors are told and are
/// status 1.
int simulator_main(Flags& flags, const SimulatorOptions& options, std::span<const std::string> arguments,
                   std::string_view purpose, std::ostream& out, std::ostream& error,
                   const std::function<Status()>& run);

}  // namespace holdfast::cloud::sim
