#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/kube/http.h"
#include "common/kube/object.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watcher.h"

namespace holdfast::kube {

/// Watches of several kinds that are looked at together, for programs in the cloud: an API server's list is
/// whole when it is read (ConfirmedBy::kServer). What a restored store has lost is taken for gone after
/// kConfirmAgain: for those who remove nothing by that alone.
class WatchGroup {
 public:
  struct Watch {
    Resource resource{};
    KeptFields kept{};
    std::string label_selector{};
    std::string field_selector{};
    /// Of the resource, the one that is wanted most first: the first that the server has is watched. Empty:
    /// resource.version, which is not asked for.
    std::vector<std::string> versions{};
    bool may_be_absent = false;  ///< a server without any of `versions` has no such objects
  };
  struct Callbacks {
    std::function<void()> whole{};               ///< is_whole() has become true, maybe once more
    std::function<void(const Error&)> absent{};  ///< the server has none of a watch's versions
  };
  struct Context {
    EventLoop& loop;
    Http& http;  ///< for watches alone
    ObjectClient& client;
  };

  /// What the context names outlives it. `seed`: another for every process, and some numbers from it on.
  /// `ask_again`: after how long versions are asked for again that the server has not.
  WatchGroup(const Context& context, Callbacks callbacks, std::uint64_t seed,
             std::chrono::milliseconds ask_again);
  WatchGroup(const WatchGroup&) = delete;
  WatchGroup& operator=(const WatchGroup&) = delete;
  ~WatchGroup();

  /// Before start(). `cache` outlives this, and calls listed() when it has a list.
  template <class Object>
  void add(Watch watch, ObjectCache<Object>& cache) {
    add(std::move(watch), cache, [&cache] { return cache.is_whole(); });
  }
  void start();
  void listed();
  /// All lists have been read and confirmed: what is in no cache does not exist.
  [[nodiscard]] bool is_whole() const;

 private:
  struct Watched;

  void add(Watch watch, WatchConsumer& consumer, std::function<bool()> is_whole);
  void begin(Watched& watched);
  void ask_version(Watched& watched, std::size_t which);
  void watch(Watched& watched, const std::string& version);
  void found_absent(Watched& watched, const Error& error);

  Context context_;
  Callbacks callbacks_;
  std::uint64_t seed_;
  std::chrono::milliseconds ask_again_;
  std::vector<std::unique_ptr<Watched>> watched_;
  bool started_ = false;
};

}  // namespace holdfast::kube
