#include "common/cloud/sim/program.h"

#include <csignal>
#include <ostream>

namespace holdfast::cloud::sim {
namespace {

constexpr std::int64_t kMostPort = 65535;
constexpr std::int64_t kMostSettling = 3600;

}  // namespace

void add_simulator_flags(Flags& flags, SimulatorOptions& into) {
  flags.integer("port", "PORT", "of 127.0.0.1 [a free one]", 0, kMostPort,
                [&into](std::int64_t port) { into.port = static_cast<std::uint16_t>(port); });
  flags.value("state", "FILE", "all that there is, kept over restarts", Flags::to_path(into.state));
  flags.text("access-key-id", "ID", "of the account that calls [sim-id]", into.account.id);
  flags.text("access-key-secret", "SECRET", "[sim-secret]", into.account.secret);
  flags.integer("settling", "SECONDS", "how long what is asynchronous takes [0]", 0, kMostSettling,
                [&into](std::int64_t seconds) { into.settling = std::chrono::seconds(seconds); });
  flags.boolean("help", "this text", into.help);
}

Status run_simulator(const SimulatorOptions& options, SimService& service, Clock& clock, Files& files,
                     std::ostream& out) {
  if (options.state.empty()) return fail(Code::kInvalidArgument, "--state names no file");
  HOLDFAST_TRY(const auto loop, EventLoop::create(clock));
  HOLDFAST_TRY(const auto front, Front::open(files, options.state, service, {options.account}, clock));
  HOLDFAST_TRY(const auto server,
               Server::listen(*loop, clock, options.port,
                              [&front](const ServerRequest& request) { return front->handle(request); }));
  HOLDFAST_TRY(const auto signals,
               loop->on_signals({SIGTERM, SIGINT}, [&loop](int /*number*/) { loop->stop(); }));
  out << server->url() << std::endl;
  return loop->run();
}

int simulator_main(Flags& flags, const SimulatorOptions& options, std::span<const std::string> arguments,
                   std::string_view purpose, std::ostream& out, std::ostream& error,
                   const std::function<Status()>& run) {
  Status done = flags.parse(arguments);
  if (done && options.help) {
    out << purpose << "\n" << flags.help();
    return 0;
  }
  if (done) done = run();
  if (done) return 0;
  error << done.error().message << "\n";
  return 1;
}

}  // namespace holdfast::cloud::sim
