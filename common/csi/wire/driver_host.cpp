#include "common/csi/driver_host.h"

#include <atomic>
#include <csignal>
#include <future>
#include <string>
#include <utility>

#include "common/base/flags.h"
#include "common/base/service_manager.h"
#include "common/base/version.h"
#include "common/csi/health.h"
#include "common/csi/host_options.h"
#include "common/http/patient_page_server.h"

namespace holdfast::csi {
namespace {

/// One driver with its server.
class Guest {
 public:
  /// Gets what no waiting cures.
  using OnFailure = std::function<void(Error)>;

  Guest(const HostContext& context, std::unique_ptr<HostedDriver> driver, OnFailure failed)
      : context_(context),
        driver_(std::move(driver)),
        served_(driver_->served()),
        failed_(std::move(failed)) {
    served_.probe = [this] { return Result<bool>(ready_.load() && driver_->ready()); };
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() = default;

  void prepare() {
    context_.worker.run([this] { prepared_ = driver_->prepare(); }, [this] { go_on(); });
  }

  [[nodiscard]] HostedDriver& driver() { return *driver_; }
  [[nodiscard]] ProbedDriver probed() const { return {served_.profile.driver_name, served_.probe}; }
  [[nodiscard]] const std::string& name() const { return served_.profile.driver_name; }

  Status stop(std::chrono::milliseconds patience) {
    again_.end();
    return server_ ? server_->stop(patience) : Status();
  }

 private:
  void go_on() {
    if (prepared_) {
      ready_ = true;
    } else {
      context_.log.warning("the storage is not ready",
                           {{"driver", name()}, {"error", prepared_.error().message}});
      again_ = context_.loop.after(kPrepareAgain, [this] { prepare(); });
    }
    if (server_) return;
    auto started = DriverServer::start({context_.loop, context_.files, context_.log, context_.metrics,
                                        context_.clock, served_.holds != nullptr ? *served_.holds : holds_},
                                       served_);
    if (!started) return failed_(std::move(started).error());
    server_ = *std::move(started);
    context_.log.info("driver served", {{"driver", name()}, {"socket", served_.socket.native()}});
  }

  HostContext context_;
  std::unique_ptr<HostedDriver> driver_;
  ServedDriver served_;
  OnFailure failed_;
  VolumeHolds holds_;
  Status prepared_;  // of the worker until its job is done
  std::atomic<bool> ready_{false};
  EventLoop::Timer again_;
  std::unique_ptr<DriverServer> server_;  // the first to end
};

class Host {
 public:
  Host(const HostContext& context, std::vector<std::unique_ptr<HostedDriver>> drivers) : context_(context) {
    for (std::unique_ptr<HostedDriver>& driver : drivers) {
      guests_.push_back(std::make_unique<Guest>(context, std::move(driver), [this](Error error) {
        failure_ = std::move(error);
        context_.loop.stop();
      }));
      probed_.push_back(guests_.back()->probed());
    }
  }

  void start() {
    for (const auto& guest : guests_) guest->prepare();
    tick();
  }
  /// Ends the loop when all drivers have ended what needs it; at once when it is told again.
  void end() {
    if (std::exchange(ending_, true)) return context_.loop.stop();
    end_patience_ = context_.loop.after(kEndPatience, [this] { context_.loop.stop(); });
    at_end_ = guests_.size();
    if (at_end_ == 0) context_.loop.stop();
    for (const auto& guest : guests_) {
      guest->driver().end([this] {
        if (--at_end_ == 0) context_.loop.stop();
      });
    }
  }
  [[nodiscard]] http::Page page(const http::RequestHead& head) {
    for (const auto& guest : guests_) guest->driver().refresh_metrics();
    return health_page(head, probed_, context_.metrics);
  }
  /// Whether all of it may be destroyed.
  bool stop(std::chrono::milliseconds patience) {
    bool idle = true;
    for (const auto& guest : guests_) {
      const Status stopped = guest->stop(patience);
      if (stopped) continue;
      idle = false;
      context_.log.warning("leaving behind what does not end", {{"error", stopped.error().message}});
    }
    return idle;
  }
  [[nodiscard]] Status result() const { return failure_ ? Status(tl::unexpected(*failure_)) : Status(); }

 private:
  void tick() {
    for (const auto& guest : guests_) guest->driver().tick();
    next_tick_ = context_.loop.after(kTick, [this] { tick(); });
  }

  HostContext context_;
  std::vector<std::unique_ptr<Guest>> guests_;
  std::vector<ProbedDriver> probed_;
  EventLoop::Timer next_tick_;
  bool ending_ = false;
  std::size_t at_end_ = 0;  // drivers that have not ended
  EventLoop::Timer end_patience_;
  std::optional<Error> failure_;
};

/// Whether all jobs have ended that the worker was given; drivers are of use to them until then.
bool ends_jobs(Worker& worker, std::chrono::milliseconds patience) {
  auto ended = std::make_shared<std::promise<void>>();  // a job that ends later sets it still
  std::future<void> future = ended->get_future();
  worker.run([ended] { ended->set_value(); }, [] {});
  return future.wait_for(patience) == std::future_status::ready;
}

}  // namespace

Status host_drivers(
    const HostSettings& settings,
    const std::function<Result<std::vector<std::unique_ptr<HostedDriver>>>(const HostContext&)>& make,
    Logger& log, const std::function<void(int)>& leave) {
  SystemClock clock;
  PosixFiles files;
  SystemExecutor executor;
  Metrics metrics;
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  Host* running = nullptr;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT}, [&](int /*number*/) {
    if (running != nullptr) running->end();
  }));
  Worker worker(*loop);  // after the signals: its thread takes none
  const HostContext context{*loop, worker, files, executor, clock, log, metrics};
  HOLDFAST_TRY(auto drivers, make(context));
  Host host(context, std::move(drivers));
  running = &host;
  std::optional<http::PatientPageServer> pages;
  if (settings.metrics_address) {
    pages.emplace(
        *loop, *settings.metrics_address, [&host](const http::RequestHead& head) { return host.page(head); },
        log, "--metrics-address");
    pages->start();
  }
  ServiceManager manager(environment_variable("NOTIFY_SOCKET").value_or(""));
  host.start();
  manager.ready();
  const Status turned = loop->run();
  manager.stopping();
  const bool idle = host.stop(settings.patience) && ends_jobs(worker, settings.patience);
  Status ended = turned ? host.result() : turned;
  log.info("the end; volumes stay as they are");
  if (!idle) leave(ended ? 0 : 1);
  return ended;
}

}  // namespace holdfast::csi
