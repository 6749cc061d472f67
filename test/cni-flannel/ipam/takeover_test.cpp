// From upstream to ours and back: what a real flannel left, what OpenYurt left, and Debian's host-local in
// turn with ours and at the same time on one folder.

#include <map>
#include <thread>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/exec.h"
#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

using Texts = std::vector<std::string>;

const std::filesystem::path kGolden = HOLDFAST_FIXTURES "/golden-flannel";
constexpr const char* kGoldenId = "cnitool-1700c1c83389894fa656";
constexpr const char* kGoldenUid = "5a1f2f7e-0a5b-4d0e-9a56-1d3cf5a3d6a1";

/// A node on which a real flannel ran one pod, default/web-0, with 10.244.2.2 and the host link vethfac42ca4.
class GoldenNode : public Node {
 public:
  GoldenNode() : Node({"10.244.2.0/24"}) {
    std::filesystem::copy(kGolden, folder.path(), std::filesystem::copy_options::recursive);
    machine.links = {"vethfac42ca4"};
  }
};

/// Runs Debian's host-local on the node's folders, as its bridge plugin would.
CommandResult host_local(const Node& node, const std::string& verb, const std::string& container_id) {
  std::string ranges;
  for (const RangeSet& set : node.config.range_sets) {
    ranges += ranges.empty() ? "" : ",";
    ranges += R"([{"subnet":")" + set.front().subnet.to_string() + R"("}])";
  }
  const std::string config =
      R"({"cniVersion":"1.0.0","name":"cbr0","type":"bridge","ipam":{"type":"host-local",)"
      R"("dataDir":")" +
      node.config.data_dir.native() + R"(","ranges":[)" + ranges + "]}}";
  auto result =
      SystemExecutor().run({.argv = {"/usr/lib/cni/host-local"},
                            .environment = {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + container_id,
                                            "CNI_IFNAME=eth0", "CNI_NETNS=none", "CNI_PATH=/usr/lib/cni"},
                            .input = config,
                            .deadline = std::chrono::seconds(60)});
  REQUIRE(result);
  return *result;
}

// The first address of a CNI result, or the whole output.
std::string address_in(const CommandResult& result) {
  const std::string key = R"("address": ")";
  const std::size_t at = result.output.find(key);
  if (!result.succeeded() || at == std::string::npos) {
    return result.output;
  }
  const std::size_t begin = at + key.size();
  return result.output.substr(begin, result.output.find('/', begin) - begin);
}

TEST_CASE("a pod that runs under upstream flannel keeps its address", "[ipam][takeover]") {
  GoldenNode node;
  SECTION("through a reboot after ours took over") {
    CHECK(node.add("c2", pod("other")) == "10.244.2.3");
    node.reboot();
    CHECK(node.add("c3", pod("web-0", kGoldenUid)) == "10.244.2.2");
  }
  SECTION("through a reboot at which ours took over") {
    node.reboot();
    CHECK(node.add("c2", pod("other")) == "10.244.2.3");
    CHECK(node.add("c3", pod("web-0", kGoldenUid)) == "10.244.2.2");
  }
  SECTION("when its DEL is the first that ours sees") {
    REQUIRE(node.del(kGoldenId));
    CHECK(node.in_use().empty());
    std::filesystem::remove_all(node.config.results_dir);
    CHECK(node.add("c2", pod("other")) == "10.244.2.3");
    CHECK(node.add("c3", pod("web-0", kGoldenUid)) == "10.244.2.2");
  }
  SECTION("when its sandbox is made anew, and the old link is to go") {
    const auto again = node.try_add(request_of("c3", pod("web-0", kGoldenUid)));
    REQUIRE(again);
    CHECK(texts(*again) == Texts{"10.244.2.2"});
    CHECK(again->stale_host_links == Texts{"vethfac42ca4"});
  }
  SECTION("also against a new pod of its name") {
    CHECK(node.add("c3", pod("web-0", "new-uid")) == "10.244.2.3");
    CHECK(node.in_use().size() == 2);
  }
  SECTION("and is in GC's list and CHECK's answer") {
    REQUIRE(node.gc({kGoldenId}));
    const auto uses = node.ipam().addresses_of(attachment_of(kGoldenId));
    REQUIRE(uses->size() == 1);
    CHECK(uses->front().pod == pod("web-0", kGoldenUid));
    CHECK(uses->front().host_link == "vethfac42ca4");
  }
  SECTION("and what ours writes is what upstream writes") {
    CHECK(node.add("c2", pod("other")) == "10.244.2.3");
    CHECK(node.read(node.network_folder() / "10.244.2.2") == std::string(kGoldenId) + "\r\neth0");
    CHECK(node.read(node.network_folder() / "10.244.2.3") == "c2\r\neth0");
    CHECK(node.read(node.network_folder() / "last_reserved_ip.0") == "10.244.2.3");
  }
}

TEST_CASE("bad files of the runtime's cache are passed over and counted", "[ipam][takeover]") {
  GoldenNode node;
  node.write(node.folder / "results/cbr0-x-eth0", "{");
  node.write(node.folder / "results/cbr0-y-eth0", R"({"kind":"cniCacheV1"})");
  node.write(node.folder / "results/other-y-eth0", "not ours");
  CHECK(node.add("c2", pod("other")) == "10.244.2.3");
  CHECK(node.notices ==
        Texts{"network cbr0: learnt 1 bindings from what the node's plugin left, passed over 2 bad "
              "files"});
  node.reboot();
  CHECK(node.add("c3", pod("web-0", kGoldenUid)) == "10.244.2.2");
  CHECK(node.notices.empty());
}

TEST_CASE("OpenYurt's reservations are read once", "[ipam][takeover]") {
  Node node;
  node.write_address("10.244.3.7_blue_web-0", "");
  node.write_address("10.244.3.8_green_web-0", "");
  node.write_address("10.244.3.8", "running");
  node.write_address("10.244.3.9_x", "");
  node.write_address("last_reserved_ip.0", "10.244.3.6");
  CHECK(node.add("c1", pod("new")) == "10.244.3.9");
  CHECK(node.add("c2", pod("web-0", "uid", "green")) == "10.244.3.8");
  CHECK(node.add("c3", pod("web-0", "uid", "blue")) == "10.244.3.7");
  node.reboot();
  CHECK(node.add("d3", pod("web-0", "uid", "blue")) == "10.244.3.7");
}

TEST_CASE("upstream's host-local and ours work in turn on one folder", "[ipam][takeover][host-local]") {
  Node node({"10.244.3.0/29", "fd00:3::/64"});
  CHECK(address_in(host_local(node, "ADD", "u1")) == "10.244.3.2");
  CHECK(node.add("c1", pod("p1")) == "10.244.3.3");
  CHECK(address_in(host_local(node, "ADD", "u2")) == "10.244.3.4");
  CHECK(node.add("c2") == "10.244.3.5");
  SECTION("each refuses what the other gave") {
    CHECK(node.add("c3", pod("p3")) == "10.244.3.6");
    CHECK(host_local(node, "ADD", "u3")
              .output.find("no IP addresses available in range set: 10.244.3.1-10.244.3.6") !=
          std::string::npos);
    CHECK(node.add("c4", pod("p4")) == "no IP addresses available in range set: 10.244.3.1-10.244.3.6");
    CHECK(host_local(node, "ADD", "c1").output.find("duplicate allocation is not allowed") !=
          std::string::npos);
    node.machine.links.insert(link_of("u1"));
    CHECK(node.add("u1", pod("p5")) ==
          "10.244.3.2 has been allocated to u1, duplicate allocation is not allowed");
  }
  SECTION("each releases what the other gave") {
    CHECK(host_local(node, "DEL", "c1").succeeded());
    CHECK(host_local(node, "DEL", "c2").succeeded());
    CHECK(node.del("u1"));
    CHECK(node.del("u2"));
    CHECK(node.in_use().empty());
    CHECK(node.add("c5", pod("p1")) == "10.244.3.3");
  }
  SECTION("upstream's CHECK finds what ours gave") {
    CHECK(host_local(node, "CHECK", "c1").succeeded());
    CHECK_FALSE(host_local(node, "CHECK", "c9").succeeded());
  }
  SECTION("an address that upstream gave away while ours was not there is not taken from it") {
    REQUIRE(node.del("c1"));
    CHECK(address_in(host_local(node, "ADD", "u3")) == "10.244.3.6");
    CHECK(address_in(host_local(node, "ADD", "u4")) == "10.244.3.3");
    CHECK(node.add("c6", pod("p1")) == "no IP addresses available in range set: 10.244.3.1-10.244.3.6");
    REQUIRE(node.del("u3"));
    CHECK(node.add("c6", pod("p1")) == "10.244.3.6");
    CHECK(node.read(node.network_folder() / "10.244.3.3") == "u4\r\neth0");
  }
  SECTION("a claim that a killed ADD of ours left does not disturb upstream") {
    node.write_address(".claim-1-1", "c9\r\neth0");
    CHECK(address_in(host_local(node, "ADD", "u3")) == "10.244.3.6");
    CHECK(host_local(node, "DEL", "u3").succeeded());
  }
}

TEST_CASE("32 ADDs of upstream and 32 of ours at once give 64 addresses", "[ipam][takeover][host-local]") {
  Node node;
  std::map<int, std::string> given;
  std::mutex mutex;
  std::vector<std::thread> threads;
  threads.reserve(64);
  for (int i = 0; i < 64; ++i) {
    threads.emplace_back([&, i] {
      const std::string id = "c" + std::to_string(i);
      std::string address;
      if (i % 2 == 0) {
        address = address_in(host_local(node, "ADD", id));
      } else {
        StickyIpam manager = node.ipam();
        const auto allocation = manager.allocate(request_of(id, pod(id)));
        address = allocation ? texts(*allocation).front() : allocation.error().message;
      }
      const std::lock_guard lock(mutex);
      given[i] = address;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::set<std::string> distinct;
  for (const auto& [i, address] : given) {
    CHECK(IpAddress::parse(address));
    distinct.insert(address);
    CHECK(node.read(node.network_folder() / address) == "c" + std::to_string(i) + "\r\neth0");
  }
  CHECK(distinct.size() == 64);
}

}  // namespace
}  // namespace holdfast::flannel::test
