#include "common/kube/watch_group.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::kube {

struct WatchGroup::Watched {
  Watch watch;
  WatchConsumer* consumer = nullptr;
  std::function<bool()> is_listed;
  bool absent = false;  // and that is no fault
  std::unique_ptr<Watcher> watcher;
  ObjectClient::CallPtr call;
  EventLoop::Timer again;

  [[nodiscard]] bool is_whole() const { return absent || is_listed(); }
};

WatchGroup::WatchGroup(const Context& context, Callbacks callbacks, std::uint64_t seed,
                       std::chrono::milliseconds ask_again)
    : context_(context), callbacks_(std::move(callbacks)), seed_(seed), ask_again_(ask_again) {}

WatchGroup::~WatchGroup() = default;

void WatchGroup::add(Watch watch, WatchConsumer& consumer, std::function<bool()> is_whole) {
  auto watched = std::make_unique<Watched>();
  watched->watch = std::move(watch);
  watched->consumer = &consumer;
  watched->is_listed = std::move(is_whole);
  watched_.push_back(std::move(watched));
}

void WatchGroup::start() {
  started_ = true;
  for (const std::unique_ptr<Watched>& each : watched_) begin(*each);
}

void WatchGroup::listed() {
  if (is_whole()) callbacks_.whole();
}

bool WatchGroup::is_whole() const {
  return started_ && std::ranges::all_of(watched_, [](const auto& each) { return each->is_whole(); });
}

void WatchGroup::begin(Watched& watched) {
  if (watched.watch.versions.empty()) return watch(watched, watched.watch.resource.version);
  ask_version(watched, 0);
}

void WatchGroup::ask_version(Watched& watched, std::size_t which) {
  const std::string version = watched.watch.versions.at(which);
  watched.call =
      context_.client.get_document("/apis/" + watched.watch.resource.group + "/" + version,
                                   [this, &watched, which, version](const Result<nlohmann::json>& document) {
                                     const ObjectClient::CallPtr ended = std::exchange(watched.call, nullptr);
                                     if (document) return watch(watched, version);
                                     const bool absent = document.error().code == Code::kNotFound;
                                     if (absent && which + 1 < watched.watch.versions.size())
                                       return ask_version(watched, which + 1);
                                     found_absent(watched, document.error());
                                   });
}

void WatchGroup::found_absent(Watched& watched, const Error& error) {
  const bool answered = error.code == Code::kNotFound;
  watched.again = context_.loop.after(ask_again_, [this, &watched] { ask_version(watched, 0); });
  if (!answered || !watched.watch.may_be_absent) return callbacks_.absent(error);
  if (!std::exchange(watched.absent, true)) listed();
}

void WatchGroup::watch(Watched& watched, const std::string& version) {
  watched.absent = false;
  WatchOptions options;
  options.resource = watched.watch.resource;
  options.resource.version = version;
  options.kept = watched.watch.kept;
  options.label_selector = watched.watch.label_selector;
  options.field_selector = watched.watch.field_selector;
  options.restored_store_wait = kConfirmAgain;
  options.confirmed_by = ConfirmedBy::kServer;
  watched.watcher =
      std::make_unique<Watcher>(context_.loop, context_.http, std::move(options), *watched.consumer, seed_++);
  watched.watcher->start();
}

}  // namespace holdfast::kube
