#include "csi-lvm/cluster/storage_publisher.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/clock.h"
#include "csi-lvm/cluster/storage_names.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kFirstWait{500};
constexpr std::chrono::seconds kLongestWait{10};
constexpr std::chrono::seconds kPatience{20};
constexpr int kSpread = 10;  // a heartbeat comes this part of its period sooner or later

}  // namespace

StoragePublisher::StoragePublisher(EventLoop& loop, kube::ObjectClient& client, Options options,
                                   std::function<void()> beat, std::function<void(const Error&)> trouble)
    : loop_(loop),
      client_(client),
      options_(std::move(options)),
      beat_(std::move(beat)),
      trouble_(std::move(trouble)),
      backoff_(kFirstWait, kLongestWait, options_.seed),
      spread_(options_.heartbeat / kSpread * 2, options_.heartbeat / kSpread * 2, options_.seed + 1) {}

void StoragePublisher::start() {
  heartbeat_ = loop_.after(spread_heartbeat(), [this] { beat(); });
}

std::chrono::nanoseconds StoragePublisher::spread_heartbeat() {
  return options_.heartbeat - options_.heartbeat / kSpread + spread_.next();
}

void StoragePublisher::beat() {
  beat_due_ = true;
  start();
  beat_();
  step();
}

void StoragePublisher::publish(NodeStorageStatus status) {
  wanted_ = std::move(status);
  step();
}

void StoragePublisher::step() {
  if (call_ || next_.pending() || !wanted_) return;
  if (!applied_) return apply_object();
  if (beat_due_ || wanted_ != written_) write_status();
}

void StoragePublisher::apply_object() {
  call_ = client_.apply(node_storages(), encode_node_storage(options_.node, options_.topology),
                        [this](const Result<json>& kept) {
                          applied_ = kept.has_value();
                          ended(kept ? Status{} : Status(tl::unexpected(kept.error())));
                        },
                        {.kept = {}, .deadline = kPatience, .metadata_only = true});
}

// Between two changes the heartbeat alone is sent: the figures of many volumes are some kilobytes.
void StoragePublisher::write_status() {
  const std::string now = utc_text(loop_.clock().now());
  json status = wanted_ == written_ ? json::object() : encode_status(*wanted_);
  status["heartbeatTime"] = now;
  status["heartbeats"] = ++beats_;
  beat_due_ = false;
  call_ = client_.merge(
      node_storages(), options_.node, {{"status", std::move(status)}},
      [this, sent = *wanted_](const Result<json>& kept) {
        if (kept) {
          written_ = sent;
        } else {
          beat_due_ = true;
          applied_ = kept.error().code != Code::kNotFound;
          written_.reset();
        }
        ended(kept ? Status{} : Status(tl::unexpected(kept.error())));
      },
      {.kept = {}, .deadline = kPatience, .metadata_only = true}, "status");
}

void StoragePublisher::ended(const Status& how) {
  call_.reset();
  std::chrono::nanoseconds wait{};
  if (how) {
    backoff_.reset();
  } else {
    trouble_(how.error());
    wait = backoff_.next();
  }
  next_ = loop_.after(wait, [this] { step(); });
}

}  // namespace holdfast::lvm
