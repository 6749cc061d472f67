#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/kube/curl_http.h"
#include "test/catch.h"

namespace holdfast::test {

/// One event loop for a client and whatever serves it, and exchanges that are waited for.
struct HttpScene {
  struct Answer {
    kube::HttpHead head;
    std::string body;
    std::optional<Status> end;
    [[nodiscard]] int status() const { return head.status; }
    [[nodiscard]] std::string error() const { return end && !*end ? end->error().message : ""; }
  };

  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  PosixFiles files;
  Metrics metrics;
  std::unique_ptr<kube::CurlHttp> http;

  void connect(const kube::Config& config, const std::string& user_agent = "test") {
    http = kube::CurlHttp::create(*loop, config, files, metrics, user_agent).value();
  }

  /// The limit is for what never comes: a machine with much other work takes seconds for what is a moment
  /// here.
  template <class Condition>
  void turn_until(Condition condition) {
    const auto limit = clock.since_boot() + std::chrono::seconds(90);
    while (!condition()) {
      REQUIRE(clock.since_boot() < limit);
      REQUIRE(loop->turn(std::chrono::milliseconds(20)));
    }
  }
  void turn_for(std::chrono::milliseconds time) {
    const auto limit = clock.since_boot() + time;
    while (clock.since_boot() < limit) {
      REQUIRE(loop->turn(std::chrono::milliseconds(5)));
    }
  }

  std::unique_ptr<kube::HttpExchange> start(kube::HttpRequest request, Answer& answer) {
    return http->start(std::move(request), {.head = [&](const kube::HttpHead& head) { answer.head = head; },
                                            .body =
                                                [&](std::string_view bytes) {
                                                  answer.body += bytes;
                                                  return Status{};
                                                },
                                            .end = [&](Status how) { answer.end = std::move(how); }});
  }

  Answer ask(kube::HttpRequest request) {
    Answer answer;
    const auto exchange = start(std::move(request), answer);
    turn_until([&] { return answer.end.has_value(); });
    return answer;
  }
};

}  // namespace holdfast::test
