#include "cni-flannel/ipam/binding_log.h"

#include <ctime>
#include <iostream>

#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"
#include "test/fakes/recording_files.h"

namespace holdfast::flannel::test {
namespace {

using holdfast::test::kAllLosses;
using holdfast::test::Loss;
using holdfast::test::RecordingFiles;

Binding binding(std::string name, std::vector<IpAddress> addresses) {
  Binding out;
  out.key = {"default", std::move(name), "eth0"};
  out.container_id = std::string(64, 'c');
  out.boot_id = "boot-1";
  out.addresses = std::move(addresses);
  return out;
}

TEST_CASE(
    "a compaction between an append and its flush loses nothing, under whichever name a power cut leaves",
    "[ipam][crash]") {
  Node node;
  std::vector<std::string> notices;
  BindingLog first(node.files, node.config.state_dir, kNetwork, notices);
  REQUIRE(first.start({binding("a", {ip("10.0.0.1")})}));
  RecordingFiles files(node.folder.path());
  BindingLog adds(files, node.config.state_dir, kNetwork, notices);
  REQUIRE(adds.load());
  for (int i = 0; i < 70; ++i) {
    REQUIRE(adds.append({binding("b", {ip("10.0.0.2")})}));
  }
  BindingLog compacts(files, node.config.state_dir, kNetwork, notices);
  REQUIRE(compacts.load());
  REQUIRE(compacts.compact(2));
  const auto& operations = files.operations();
  const auto renamed =
      std::ranges::find(operations, RecordingFiles::Kind::kRename, &RecordingFiles::Operation::kind);
  REQUIRE(renamed != operations.end());
  for (std::size_t step = renamed->step; step <= files.steps(); ++step) {
    for (const Loss loss : kAllLosses) {
      Node left;
      REQUIRE(files.rebuild(step, loss, left.folder.path()));
      const ParsedLog log = parse_binding_log(left.read(left.log_path()));
      CHECK(log.bindings.size() == 2);
    }
  }
}

TEST_CASE("ADD's time on a /24 with 200 bindings", "[.][measure]") {
  Node node;
  for (int i = 0; i < 200; ++i) {
    REQUIRE(
        node.try_add(request_of(std::string(56, 'c') + std::to_string(i), pod("pod-" + std::to_string(i)))));
  }
  constexpr int kRounds = 300;
  double add = 0;
  double del = 0;
  for (int i = 0; i < kRounds; ++i) {
    std::clock_t begin = std::clock();
    StickyIpam manager = node.ipam();
    REQUIRE(manager.allocate(request_of("x" + std::to_string(i), pod("measured"))));
    add += static_cast<double>(std::clock() - begin);
    begin = std::clock();
    REQUIRE(manager.release(attachment_of("x" + std::to_string(i))));
    del += static_cast<double>(std::clock() - begin);
  }
  std::cout << "without syncs, ADD " << 1e3 * add / CLOCKS_PER_SEC / kRounds << " ms CPU, DEL "
            << 1e3 * del / CLOCKS_PER_SEC / kRounds << " ms CPU\n";
}

}  // namespace
}  // namespace holdfast::flannel::test
