// What following a cluster's nodes costs: memory for 5,000 of them, and traffic with the API server.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "test/bench/api/follower.h"
#include "test/bench/api/hour.h"
#include "test/bench/api/server_process.h"

namespace {

using holdfast::Code;
using holdfast::fail;
using holdfast::Result;
using holdfast::Status;
using namespace holdfast::bench;
using nlohmann::json;

constexpr unsigned kManyNodes = 5000;
constexpr unsigned kNodes = 100;
constexpr double kMostKilobytes = 8 * 1024;
constexpr double kMostBytesAMinute = 1024;

// Anonymous memory of this process, in KiB.
Result<double> rss_anon() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word == "RssAnon:") {
      double kilobytes = 0;
      status >> kilobytes;
      return kilobytes;
    }
  }
  return fail(Code::kInternal, "/proc/self/status has no RssAnon");
}

Result<json> measure_memory() {
  const ServerProcess server(kManyNodes);
  Follower follower(server.url());
  HOLDFAST_TRY(const double before, rss_anon());
  follower.start();
  follower.publish("66:00:00:00:00:01");
  HOLDFAST_CHECK(
      follower.turn_until([&] { return follower.nodes.size() == kManyNodes && follower.reachable; }));
  HOLDFAST_TRY(const double after, rss_anon());
  return json{
      {"objects", follower.nodes.size()}, {"rss_anon_kib", after - before}, {"bar_kib", kMostKilobytes}};
}

Result<json> measure_traffic(unsigned nodes, bool with_columns) {
  HOLDFAST_TRY(const Hour hour, measure_hour(nodes, with_columns));
  return json{{"nodes", nodes},
              {"watched", with_columns ? "rows" : "objects"},
              {"bytes_a_minute", hour.bytes_a_minute()},
              {"bytes_an_event", static_cast<double>(hour.events) / (nodes - 1)},
              {"received", hour.received},
              {"sent", hour.sent}};
}

Result<json> measure_all() {
  HOLDFAST_TRY(const json memory, measure_memory());
  json traffic = json::array();
  for (const unsigned nodes : {kNodes, kManyNodes}) {
    for (const bool with_columns : {true, false}) {
      HOLDFAST_TRY(const json row, measure_traffic(nodes, with_columns));
      traffic.push_back(row);
    }
  }
  return json{{"bench", "api"}, {"memory", memory}, {"traffic", traffic}};
}

}  // namespace

// --gate: exit status 1 also when a bar is missed.
int main(int count, char** arguments) {
  const auto figures = measure_all();
  if (!figures) {
    std::cerr << "bench_api: " << figures.error().message << "\n";
    return 1;
  }
  std::cout << figures->dump() << std::endl;
  const bool met = (*figures)["memory"]["rss_anon_kib"].get<double>() <= kMostKilobytes &&
                   (*figures)["traffic"][0]["bytes_a_minute"].get<double>() <= kMostBytesAMinute;
  const bool gate = count > 1 && std::string(arguments[1]) == "--gate";
  return gate && !met ? 1 : 0;
}
