// What the address manager costs by itself, flushes and kernel left out: processor time of ADD, of DEL and of
// reading a binding log. `bench_cni` tells what a pod waits for; this tells where to look when that grows.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/ipam/binding_log_format.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

constexpr int kRounds = 300;
constexpr int kPods = 200;  // of the 253 that a /24 has room for
constexpr int kLines = 500;

constexpr std::string_view kUsage =
    "Usage: bench_ipam\n"
    "Processor time of the address manager on a /24 with 200 bindings, and of parsing a log of 500 lines;\n"
    "median of 300 rounds, in ms. One JSON line.\n";

class Stopwatch {
 public:
  [[nodiscard]] double ms() const {
    return 1e3 * static_cast<double>(std::clock() - begin_) / CLOCKS_PER_SEC;
  }

 private:
  std::clock_t begin_ = std::clock();
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

Status fill(Node& node) {
  for (int i = 0; i < kPods; ++i) {
    const std::string number = std::to_string(i);
    HOLDFAST_CHECK(node.try_add(request_of(std::string(56, 'c') + number, pod("pod-" + number))));
  }
  return {};
}

Result<nlohmann::json> measure_add_and_del() {
  Node node;
  HOLDFAST_CHECK(fill(node));
  std::vector<double> add;
  std::vector<double> del;
  for (int i = 0; i < kRounds; ++i) {
    const std::string id = "x" + std::to_string(i);
    StickyIpam manager = node.ipam();
    const Stopwatch adding;
    HOLDFAST_CHECK(manager.allocate(request_of(id, pod("measured"))));
    add.push_back(adding.ms());
    const Stopwatch deleting;
    HOLDFAST_CHECK(manager.release(attachment_of(id)));
    del.push_back(deleting.ms());
  }
  return nlohmann::json{{"add_cpu_ms", median(add)}, {"del_cpu_ms", median(del)}};
}

std::string log_text() {
  std::string text = format_log_header();
  for (int i = 0; i < kLines; ++i) {
    Binding binding;
    binding.key = {"default", "pod-" + std::to_string(i / 2), "eth0"};
    binding.container_id = std::string(64, 'c');
    binding.boot_id = "boot-1";
    binding.addresses = {*ip("10.0.0.0").plus(static_cast<std::uint64_t>(i))};
    binding.sequence = static_cast<std::uint64_t>(i) + 1;
    text += format_record(binding);
  }
  return text;
}

Result<nlohmann::json> measure_parse() {
  const std::string text = log_text();
  std::vector<double> parse;
  for (int i = 0; i < kRounds; ++i) {
    const Stopwatch parsing;
    const ParsedLog log = parse_binding_log(text);
    parse.push_back(parsing.ms());
    if (log.bindings.size() != kLines / 2) {
      return fail(Code::kInternal, "the log of " + std::to_string(kLines) + " lines gave " +
                                       std::to_string(log.bindings.size()) + " bindings");
    }
  }
  return nlohmann::json{{"parse_cpu_ms", median(parse)}, {"log_bytes", text.size()}};
}

Result<nlohmann::json> measure() {
  HOLDFAST_TRY(nlohmann::json figures, measure_add_and_del());
  HOLDFAST_TRY(const nlohmann::json parse, measure_parse());
  figures.update(parse);
  figures["bench"] = "ipam";
  figures["bindings"] = kPods;
  figures["log_lines"] = kLines;
  return figures;
}

}  // namespace
}  // namespace holdfast::flannel::test

int main(int argc, char**) {
  if (argc > 1) {
    std::cout << holdfast::flannel::test::kUsage;
    return 0;
  }
  const auto figures = holdfast::flannel::test::measure();
  if (!figures) {
    std::cerr << "bench_ipam: " << figures.error().message << '\n';
    return 1;
  }
  std::cout << figures->dump() << '\n';
  return 0;
}
