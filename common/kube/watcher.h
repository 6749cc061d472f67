#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/kube/http.h"
#include "common/kube/list_authority.h"
#include "common/kube/object.h"
#include "common/kube/stream.h"
#include "common/kube/table_rows.h"

namespace holdfast::kube {

/// Who is told what a Watcher sees, always from the event loop. A call must not end the Watcher.
///
/// An object may come in an older version than was seen before: from a cache that lags, or from a restored
/// store.
///
/// To know what is gone: forget at list_begun() which objects were seen, note each put(), and at
/// list_authoritative() take away those that were not. Never at list_read(): a cache that has lost its
/// content answers with an empty list.
class WatchConsumer {
 public:
  WatchConsumer() = default;
  WatchConsumer(const WatchConsumer&) = delete;
  WatchConsumer& operator=(const WatchConsumer&) = delete;
  virtual ~WatchConsumer() = default;

  /// A list begins, maybe not for the first time: the one before may have been broken off.
  virtual void list_begun() = 0;
  /// An object is there, new or changed or as it was. `object` holds what is kept, and only during the call.
  virtual void put(const ObjectId& id, const nlohmann::json& object) = 0;
  /// The server told that this object was deleted. The tombstone of another life of it (another UID) says
  /// nothing about the one that is held.
  virtual void removed(const ObjectId& id) = 0;
  /// All pages are there, at one version.
  virtual void list_read() = 0;
  /// What the last list did not hold, and no put() brought since, does not exist: the list was complete,
  /// confirmed (WatchOptions::confirmed_by), and its version is not that of an older copy of the cluster's
  /// store.
  virtual void list_authoritative() = 0;
  /// All is seen up to here: what a Watcher may resume from after a restart, stored with what was put.
  virtual void version(const std::string& resource_version) = 0;
  /// The server answers a watch, which may tell nothing for long.
  virtual void connected() {}
  /// Something failed and is tried again. Not called for a watch that ends in its time.
  virtual void trouble(const Error& error) = 0;
};

/// What shows that a list is not that of a cache on a node, which may be old or empty.
enum class ConfirmedBy : std::uint8_t {
  /// A watch on the list's connection delivered something of at least its version. On a quiet cluster that is
  /// a bookmark, which comes after a minute, or after ten when nothing of the kind has changed.
  kWatch,
  /// Or the answers themselves: an API server sends back the Audit-ID that it was sent, each time another;
  /// what it lists without a resourceVersion is the most recent. For programs that act on what is absent and
  /// have nothing stored to go by.
  kServer,
};

struct WatchOptions {
  Resource resource{};
  std::string label_selector{};
  std::string field_selector{};
  KeptFields kept{};
  /// Watches ask for rows of a table with these columns instead of objects, when there are any: a fraction of
  /// the bytes. Then `kept` is for lists. A server that has not all of these columns is asked for objects.
  std::vector<TableColumn> columns{};
  std::string row_base = "{}";  ///< JSON: what an object of a row has beside its columns
  /// Begins with a watch from this version instead of a list, when not empty: a restart costs no list. What
  /// was deleted meanwhile comes as removed().
  std::string resume_from{};
  /// Of this cluster, seen before, also by others: a list of a lower one is of a store that was restored.
  std::string known_version{};
  ConfirmedBy confirmed_by = ConfirmedBy::kWatch;
  unsigned page_objects = 500;
  std::size_t max_object_bytes = std::size_t{2} << 20;  ///< etcd holds 1.5 MB
  std::chrono::seconds shortest_watch{300};  ///< the server ends a watch after a time between these
  std::chrono::seconds longest_watch{600};
  std::chrono::milliseconds half_line{30'000};  ///< for the rest of a line of the watch
  std::chrono::milliseconds first_wait{800};    ///< bounds of the waits between attempts
  std::chrono::milliseconds longest_wait{30'000};
  /// Until another list is asked for, where one could not be confirmed by its watch, or came from a store
  /// that was restored.
  std::chrono::nanoseconds restored_store_wait = ListAuthority::kWait;
  /// The same, the first time that only its connection was another: one more request of ours held it.
  std::chrono::nanoseconds moved_watch_wait = std::chrono::milliseconds(200);
  HttpDeadlines list_deadlines{};
};

/// Follows the objects of one resource: a list in pages at one version, then a watch from it with bookmarks,
/// again and again from the version last seen. A version that the server no longer has (410, as a status or
/// as an event) leads to a new list; so do three watches in a row that the server refuses. A connection that
/// fails leads to neither, however long: the watch is resumed. Waits between attempts are jittered and grow;
/// Retry-After is kept.
///
/// Holds no object. Sources:
/// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes and
/// #resource-versions; the Audit-ID: k8s.io/apiserver/pkg/endpoints/filters/audit_init.go
class Watcher {
 public:
  /// `loop`, `http` and `consumer` outlive it. `seed`: another for every process.
  Watcher(EventLoop& loop, Http& http, WatchOptions options, WatchConsumer& consumer, std::uint64_t seed);
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher();

  void start();
  /// A watch is answered and has not ended.
  [[nodiscard]] bool watching() const { return watching_; }

 private:
  struct Page;

  void begin_list();
  void get_page();
  void page_ended(Status how);
  Status take_page();

  void begin_watch();
  void watch_answered(const HttpHead& head);
  Status take_lines(std::string_view bytes);
  Status take_line(std::string_view line);
  Status take_event(const std::string& type, const nlohmann::json& object);
  Status take_table(const std::string& type, const nlohmann::json& table);
  [[nodiscard]] bool wants_rows() const { return !options_.columns.empty(); }
  void watch_ended(Status how);
  void moved_to(const std::string& resource_version);
  void confirm(std::uint64_t version);
  [[nodiscard]] std::string next_audit_id();
  void list_after(std::chrono::nanoseconds wait);

  Status take_body(std::string_view bytes);
  /// Goes on with a list or a watch, whichever is next, after a wait.
  void go_on(bool at_once, std::optional<std::chrono::seconds> retry_after = {});
  void step();
  [[nodiscard]] std::string query(const std::string& more) const;

  EventLoop& loop_;
  Http& http_;
  WatchOptions options_;
  WatchConsumer& consumer_;
  Backoff backoff_;
  Backoff spread_;          // of the watches' lengths
  std::mt19937_64 random_;  // of the Audit-IDs
  ListAuthority authority_;

  std::string version_;  // empty: a list is needed
  std::string list_version_;
  std::string continue_;
  unsigned pages_ = 0;
  std::uint64_t list_connection_ = 0;         // 0: not all pages came by one
  std::string audit_id_;                      // that the page was asked for with
  bool from_server_ = false;                  // all pages of the list so far
  std::optional<std::uint64_t> unconfirmed_;  // the last list's version, waiting for its watch
  bool moved_ = false;  // another list was asked for because the watch came by another connection
  bool watching_ = false;
  bool told_something_ = false;  // this watch has
  bool refused_ = false;         // the server's own words ended this watch, or their lack of sense
  std::chrono::nanoseconds watch_began_{};
  unsigned refusals_ = 0;  // watches in a row that the server refused
  HttpHead head_;
  std::string failure_;         // body of an answer that is a failure
  std::unique_ptr<Page> page_;  // none: the answer is a watch's
  std::unique_ptr<LineSplitter> lines_;
  std::unique_ptr<TableRows> rows_;  // of this watch
  std::unique_ptr<HttpExchange> exchange_;
  EventLoop::Timer wait_;
  EventLoop::Timer half_line_;
  EventLoop::Timer next_list_;
};

}  // namespace holdfast::kube
