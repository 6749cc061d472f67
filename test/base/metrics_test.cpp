#include "common/base/metrics.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <functional>
#include <limits>
#include <thread>

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("metrics are rendered in the text format, in the order of names and labels", "[metrics]") {
  Metrics metrics;
  metrics.gauge("holdfast_peers", "Peers known").set(-2.5);
  metrics.counter("holdfast_adds_total", "Pods added", {{"verb", "DEL"}, {"result", "ok"}}).add();
  metrics.counter("holdfast_adds_total", "Pods added", {{"verb", "ADD"}, {"result", "ok"}}).add(3);
  CHECK(metrics.render() ==
        "# HELP holdfast_adds_total Pods added\n"
        "# TYPE holdfast_adds_total counter\n"
        "holdfast_adds_total{result=\"ok\",verb=\"ADD\"} 3\n"
        "holdfast_adds_total{result=\"ok\",verb=\"DEL\"} 1\n"
        "# HELP holdfast_peers Peers known\n"
        "# TYPE holdfast_peers gauge\n"
        "holdfast_peers -2.5\n");
}

TEST_CASE("no metrics are an empty text", "[metrics]") { CHECK(Metrics().render().empty()); }

TEST_CASE("help and label values are escaped", "[metrics]") {
  Metrics metrics;
  metrics.counter("c", "a\\b\nc\"d\"", {{"path", "C:\\x\n\"y\""}}).add();
  CHECK(metrics.render() ==
        "# HELP c a\\\\b\\nc\"d\"\n# TYPE c counter\nc{path=\"C:\\\\x\\n\\\"y\\\"\"} 1\n");
}

TEST_CASE("numbers that are not finite are spelled as Prometheus reads them", "[metrics]") {
  Metrics metrics;
  Gauge& gauge = metrics.gauge("g", "h");
  const auto rendered = [&](double value) {
    gauge.set(value);
    const std::string text = metrics.render();
    return text.substr(text.rfind(' ') + 1);
  };
  CHECK(rendered(std::numeric_limits<double>::infinity()) == "+Inf\n");
  CHECK(rendered(-std::numeric_limits<double>::infinity()) == "-Inf\n");
  CHECK(rendered(std::nan("")) == "NaN\n");
  CHECK(rendered(0.1) == "0.1\n");
  CHECK(rendered(1e21) == "1e+21\n");
}

TEST_CASE("a histogram's buckets add up, bounds belong to their bucket", "[metrics]") {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("h_seconds", "Time", {0.1, 1}, {{"op", "add"}});
  for (const double value : {0.05, 0.1, 0.5, 7.0}) {
    histogram.observe(value);
  }
  CHECK(metrics.render() ==
        "# HELP h_seconds Time\n"
        "# TYPE h_seconds histogram\n"
        "h_seconds_bucket{op=\"add\",le=\"0.1\"} 2\n"
        "h_seconds_bucket{op=\"add\",le=\"1\"} 3\n"
        "h_seconds_bucket{op=\"add\",le=\"+Inf\"} 4\n"
        "h_seconds_sum{op=\"add\"} 7.65\n"
        "h_seconds_count{op=\"add\"} 4\n");
  CHECK(histogram.counts() == std::vector<std::uint64_t>{2, 1, 1});
}

TEST_CASE("the same name and labels are the same metric", "[metrics]") {
  Metrics metrics;
  CHECK(&metrics.counter("c", "h", {{"a", "1"}}) == &metrics.counter("c", "h", {{"a", "1"}}));
  CHECK(&metrics.counter("c", "h", {{"a", "1"}}) != &metrics.counter("c", "h", {{"a", "2"}}));
}

// The signal a child that runs `body` dies of, 0 when it does not.
int death_of(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::signal(SIGABRT, SIG_DFL);
    ::close(2);
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_CASE("a misuse that no input can cause ends the program", "[metrics]") {
  Metrics metrics;
  metrics.counter("taken", "h");
  metrics.histogram("bounds", "h", {1});
  struct Case {
    const char* name;
    std::function<void()> misuse;
    int signal;
  };
  const Case cases[] = {
      {"proper use",
       [&] {
         metrics.counter("fine_1", "h", {{"a_b", ""}});
       },
       0},
      {"other type", [&] { metrics.gauge("taken", "h"); }, SIGABRT},
      {"empty name", [&] { metrics.counter("", "h"); }, SIGABRT},
      {"digit first", [&] { metrics.counter("1a", "h"); }, SIGABRT},
      {"bad label",
       [&] {
         metrics.counter("c", "h", {{"a-b", ""}});
       },
       SIGABRT},
      {"reserved label",
       [&] {
         metrics.counter("c", "h", {{"__a", ""}});
       },
       SIGABRT},
      {"bucket label",
       [&] {
         metrics.histogram("h", "h", {1}, {{"le", ""}});
       },
       SIGABRT},
      {"other bounds",
       [&] {
         metrics.histogram("bounds", "h", {2}, {{"a", "b"}});
       },
       SIGABRT},
      {"unsorted bounds",
       [&] {
         metrics.histogram("h", "h", {2, 1});
       },
       SIGABRT},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(death_of(c.misuse) == c.signal); }
  }
}

TEST_CASE("many threads count and render at once and nothing is lost", "[metrics]") {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kRounds = 500;
  Metrics metrics;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&metrics, t] {
      for (std::uint64_t i = 0; i < kRounds; ++i) {
        metrics.counter("c", "h", {{"shared", "yes"}}).add();
        metrics.gauge("g", "h", {{"thread", std::to_string(t)}}).set(static_cast<double>(i));
        metrics.histogram("h", "h", {1}).observe(static_cast<double>(i % 3));
        if (i % 100 == 0) {
          static_cast<void>(metrics.render());
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(metrics.counter("c", "h", {{"shared", "yes"}}).value() == kThreads * kRounds);
  const std::vector<std::uint64_t> counts = metrics.histogram("h", "h", {1}).counts();
  CHECK(counts[0] + counts[1] == kThreads * kRounds);
}

}  // namespace
}  // namespace holdfast
