#include "cni-flannel/daemon/patient_source.h"

#include <chrono>

namespace holdfast::flannel {
namespace {

constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::seconds kLongestRetry{30};

}  // namespace

PatientSource::PatientSource(EventLoop& loop, Make make, std::uint64_t seed)
    : loop_(loop), make_(std::move(make)), retry_(kFirstRetry, kLongestRetry, seed) {}

Status PatientSource::start(LeaseConsumer& consumer) {
  consumer_ = &consumer;
  Status started = try_to_start();
  if (started || !consumer.memory().has_lease) return started;
  next_ = loop_.after({}, [this] { try_again(); });  // a consumer is told nothing from within a call
  return {};
}

Status PatientSource::try_to_start() {
  HOLDFAST_TRY(std::unique_ptr<LeaseSource> source, make_());
  HOLDFAST_CHECK(source->start(*consumer_));
  source_ = std::move(source);
  if (published_) source_->publish(published_->first, published_->second);
  published_.reset();
  if (!told_.empty()) source_->tell(std::exchange(told_, {}));
  return {};
}

void PatientSource::try_again() {
  const Status started = try_to_start();
  if (started) return;
  consumer_->health({.reachable = false, .detail = started.error().message});
  next_ = loop_.after(kFirstRetry + retry_.next(), [this] { try_again(); });
}

void PatientSource::publish(const NodeNetwork& own, const NodeNetworkStatus& status) {
  if (source_) {
    source_->publish(own, status);
  } else {
    published_.emplace(own, status);
  }
}

void PatientSource::tell(const std::vector<Condition>& conditions) {
  if (source_) {
    source_->tell(conditions);
  } else {
    told_ = conditions;
  }
}

void PatientSource::refuse(const Condition& why, std::function<void()> done) {
  if (!source_) {
    Result<std::unique_ptr<LeaseSource>> source = make_();
    if (source) source_ = *std::move(source);
  }
  if (source_) {
    source_->refuse(why, std::move(done));
  } else {
    next_ = loop_.after({}, std::move(done));
  }
}

void PatientSource::look_again() {
  if (source_) {
    source_->look_again();
  } else {
    next_ = loop_.after({}, [this] { try_again(); });
  }
}

}  // namespace holdfast::flannel
