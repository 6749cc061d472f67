#include "cni-flannel/ipam/binding_log.h"

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

}  // namespace
}  // namespace holdfast::flannel::test
