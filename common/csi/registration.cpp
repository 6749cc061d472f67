#include "common/csi/registration.h"

#include <utility>

namespace holdfast::csi {
namespace {

constexpr std::chrono::seconds kFirstWait{2};
constexpr std::chrono::seconds kLongestWait{120};

}  // namespace

Registration::Registration(EventLoop& loop, Logger& log, Metrics& metrics, KeptSocket& socket, Driver driver,
                           std::uint64_t seed)
    : loop_(loop),
      log_(log),
      gauge_(metrics.gauge("holdfast_csi_registered", "1 when the kubelet of this node has the driver.",
                           {{"driver_name", driver.name}})),
      socket_(socket),
      driver_(std::move(driver)),
      backoff_(kFirstWait, kLongestWait, seed),
      self_(std::make_shared<Registration*>(this)) {}

void Registration::notified(bool registered, std::string error) {
  loop_.post([weak = std::weak_ptr(self_), registered, error = std::move(error)] {
    const std::shared_ptr<Registration*> self = weak.lock();
    if (!self || (*self)->ended_) return;
    if (registered) {
      (*self)->registered();
    } else {
      (*self)->refused(error);
    }
  });
}

void Registration::end() {
  ended_ = true;
  again_.end();
}

void Registration::registered() {
  again_.end();
  backoff_.reset();
  gauge_.set(1);
  log_.info("registered with kubelet", {{"driver", driver_.name}, {"endpoint", driver_.endpoint}});
}

void Registration::refused(const std::string& error) {
  gauge_.set(0);
  const std::chrono::nanoseconds wait = backoff_.next();
  log_.warning("kubelet did not register the driver; it is asked again",
               {{"driver", driver_.name},
                {"error", error},
                {"wait_ms", std::chrono::duration_cast<std::chrono::milliseconds>(wait).count()}});
  again_ = loop_.after(wait, [this] { socket_.renew(); });
}

}  // namespace holdfast::csi
