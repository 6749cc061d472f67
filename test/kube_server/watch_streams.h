#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "test/kube_server/faults.h"
#include "test/kube_server/renditions.h"
#include "test/kube_server/verbs.h"

namespace holdfast::test {

/// The watches of one server: each is told what changed since its version and then what changes, with
/// bookmarks, until its time is over.
class WatchStreams {
 public:
  std::chrono::milliseconds bookmark_period{60'000};
  std::chrono::milliseconds last_bookmark{2'000};  ///< before the end of a watch, one more

  WatchStreams(EventLoop& loop, ObjectStore& store) : loop_(loop), store_(store) {}

  /// Answers `call`. `fault`: one of those that a watch can have.
  void begin(const ApiCall& call, Responder responder, const std::optional<Fault>& fault);
  void tell(const StoreChange& change);
  /// Ends all streams as a server does: in order, without a word. `connections` false; else the connections
  /// too.
  void end_all(bool connections);
  /// What all that watch get now, bookmarks or not.
  void send_bookmarks();
  [[nodiscard]] std::size_t count();

 private:
  struct Stream {
    ApiCall call;
    Responder responder;
    Rendition rendition;
    bool bookmarks = false;
    bool told_headers = false;
    std::optional<Fault> fault;
    bool ended = false;
    EventLoop::Timer end{};
    EventLoop::Timer next_bookmark{};
    EventLoop::Timer last_bookmark{};
  };

  void send_first(Stream& stream);
  void send(Stream& stream, const std::string& type, const nlohmann::json& object);
  void send_change(Stream& stream, const StoreChange& change);
  void send_bookmark(Stream& stream, bool initial_end);
  void send_gone(Stream& stream, std::uint64_t asked);
  void repeat_bookmarks(Stream& stream);
  void finish(Stream& stream);
  void forget_ended();

  EventLoop& loop_;
  ObjectStore& store_;
  std::list<Stream> streams_;
};

}  // namespace holdfast::test
