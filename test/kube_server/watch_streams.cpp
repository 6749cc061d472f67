#include "test/kube_server/watch_streams.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr int kGone = 410;
constexpr int kGatewayTimeout = 504;
constexpr unsigned kDefaultTimeoutSeconds = 1800;

template <class Number>
Number number_of(const std::string& text, Number absent) {
  Number out = absent;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

// As a real server: flow control adds two headers, and a watch comes in chunks.
Responder::Headers watch_headers() {
  return {{"Audit-Id", "00000000-0000-4000-8000-000000000000"},
          {"Cache-Control", "no-cache, private"},
          {"Content-Type", "application/json"},
          {"Date", "Sat, 21 Nov 2026 02:54:07 GMT"},
          {"X-Kubernetes-Pf-Flowschema-Uid", "9ee4fd3b-eb61-4838-b445-fbcc87339247"},
          {"X-Kubernetes-Pf-Prioritylevel-Uid", "172e9276-4f1e-487b-a08b-5c3631354119"}};
}

bool is_fault(const std::optional<Fault>& fault, FaultKind kind) { return fault && fault->kind == kind; }

}  // namespace

void WatchStreams::begin(const ApiCall& call, Responder responder, const std::optional<Fault>& fault) {
  forget_ended();
  const auto version = number_of<std::uint64_t>(call.query("resourceVersion"), 0);
  if (version > store_.version()) {
    const json body = failure(kGatewayTimeout, "Timeout",
                              "Timeout: Too large resource version: " + std::to_string(version) +
                                  ", current: " + std::to_string(store_.version()));
    responder.whole(kGatewayTimeout, body.dump(), {{"Content-Type", "application/json"}});
    return;
  }
  streams_.push_back(
      {.call = call,
       .responder = std::move(responder),
       .rendition = Rendition::asked_for(call.header("accept"), call.query("includeObject")),
       .bookmarks = call.query("allowWatchBookmarks") == "true" && !is_fault(fault, FaultKind::kNoBookmarks),
       .fault = fault});
  Stream& stream = streams_.back();
  stream.responder.begin(200, watch_headers());
  const auto length = seconds(number_of<unsigned>(call.query("timeoutSeconds"), kDefaultTimeoutSeconds));
  stream.end = loop_.after(length, [this, &stream] { finish(stream); });
  if (stream.bookmarks && length > last_bookmark) {
    stream.last_bookmark =
        loop_.after(length - last_bookmark, [this, &stream] { send_bookmark(stream, false); });
  }
  repeat_bookmarks(stream);
  send_first(stream);
}

void WatchStreams::repeat_bookmarks(Stream& stream) {
  if (stream.bookmarks) {
    stream.next_bookmark = loop_.after(bookmark_period, [this, &stream] {
      send_bookmark(stream, false);
      repeat_bookmarks(stream);
    });
  }
}

void WatchStreams::send_first(Stream& stream) {
  const auto version = number_of<std::uint64_t>(stream.call.query("resourceVersion"), 0);
  if (is_fault(stream.fault, FaultKind::kGoneEvent) || (version != 0 && version < store_.oldest())) {
    send_gone(stream, version);
    return;
  }
  if (version != 0) {
    for (const StoreChange& change : store_.history()) {
      if (change.version > version) {
        send_change(stream, change);
      }
    }
    return;
  }
  for (const StoredObject& object : store_.list(stream.call.kind.collection(), stream.call.path.name_space)) {
    if (is_selected(*object, stream.call.query("labelSelector"), stream.call.query("fieldSelector"))) {
      send(stream, "ADDED", *object);
    }
  }
  if (stream.call.query("sendInitialEvents") == "true") {
    send_bookmark(stream, /*initial_end=*/true);
  }
}

void WatchStreams::send_change(Stream& stream, const StoreChange& change) {
  const ApiCall& call = stream.call;
  const bool in_namespace = call.path.name_space.empty() || call.path.name_space == change.key.name_space;
  if (change.key.collection != call.kind.collection() || !in_namespace) {
    return;
  }
  const auto selected = [&](const StoredObject& object) {
    return object && is_selected(*object, call.query("labelSelector"), call.query("fieldSelector"));
  };
  const bool was = selected(change.before);
  const bool is = selected(change.after);
  if (is) {
    send(stream, was ? "MODIFIED" : "ADDED", *change.after);
  } else if (was) {
    json last = *change.before;
    last["metadata"]["resourceVersion"] = std::to_string(change.version);
    send(stream, "DELETED", last);
  }
}

void WatchStreams::send(Stream& stream, const std::string& type, const json& object) {
  if (stream.ended || stream.responder.gone()) {
    return;
  }
  const json rendered = stream.rendition.of_object(stream.call.kind, object, !stream.told_headers);
  stream.told_headers = true;
  const std::string line = json{{"type", type}, {"object", rendered}}.dump() + "\n";
  if (is_fault(stream.fault, FaultKind::kTruncated)) {
    stream.responder.chunk(line.substr(0, line.size() / 2));
    finish(stream);
  } else if (is_fault(stream.fault, FaultKind::kDropHalfway)) {
    stream.responder.chunk(line.substr(0, line.size() / 2));
    stream.ended = true;
    stream.responder.drop();
  } else {
    stream.responder.chunk(line);
  }
}

void WatchStreams::send_bookmark(Stream& stream, bool initial_end) {
  json object{{"apiVersion", stream.call.kind.api_version()},
              {"kind", stream.call.kind.kind},
              {"metadata", {{"resourceVersion", std::to_string(store_.version())}}}};
  if (initial_end) {
    object["metadata"]["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  }
  send(stream, "BOOKMARK", object);
}

void WatchStreams::send_gone(Stream& stream, std::uint64_t asked) {
  const json status = failure(
      kGone, "Expired",
      "too old resource version: " + std::to_string(asked) + " (" + std::to_string(store_.oldest()) + ")");
  stream.responder.chunk(json{{"type", "ERROR"}, {"object", status}}.dump() + "\n");
  finish(stream);
}

void WatchStreams::finish(Stream& stream) {
  if (!std::exchange(stream.ended, true)) {
    stream.responder.end();
  }
  stream.end.end();
  stream.next_bookmark.end();
  stream.last_bookmark.end();
}

void WatchStreams::forget_ended() {
  streams_.remove_if([](const Stream& stream) { return stream.ended || stream.responder.gone(); });
}

void WatchStreams::tell(const StoreChange& change) {
  for (Stream& stream : streams_) {
    send_change(stream, change);
  }
}

void WatchStreams::end_all(bool connections) {
  for (Stream& stream : streams_) {
    if (connections) {
      stream.ended = true;
      stream.responder.drop();
    } else {
      finish(stream);
    }
  }
  streams_.clear();
}

void WatchStreams::send_bookmarks() {
  for (Stream& stream : streams_) {
    if (stream.bookmarks) {
      send_bookmark(stream, false);
    }
  }
}

std::size_t WatchStreams::count() {
  forget_ended();
  return streams_.size();
}

}  // namespace holdfast::test
