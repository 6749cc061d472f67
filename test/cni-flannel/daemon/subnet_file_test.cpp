#include "cni-flannel/daemon/subnet_file.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "cni-flannel/plugin/subnet_env.h"
#include "test/catch.h"
#include "test/fakes/recording_files.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

using test::RecordingFiles;
using test::TemporaryFolder;

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

NetConf conf_with(const char* v4, const char* v6) {
  NetConf conf;
  if (v4 != nullptr) conf.ipv4 = AddressPool{cidr(v4), {}, {}, {}};
  if (v6 != nullptr) conf.ipv6 = AddressPool{cidr(v6), {}, {}, {}};
  return conf;
}

NodeNetwork node_with(std::vector<Cidr> pod_cidrs) {
  NodeNetwork node;
  node.node = "edge-1";
  node.pod_cidrs = std::move(pod_cidrs);
  return node;
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat found {};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777U;
}

TEST_CASE("subnet.env is what a real flannel wrote for the same node, to the byte", "[flanneld]") {
  struct Case {
    const char* fixture;
    const char* pod_cidr;
  };
  for (const Case& c : {Case{"nft/nodea", "10.244.0.0/24"}, Case{"ipt/nodeb", "10.244.3.0/24"}}) {
    std::ifstream golden(std::string(HOLDFAST_FIXTURES) + "/golden-flannel/" + c.fixture + ".subnet.env");
    std::ostringstream wanted;
    wanted << golden.rdbuf();
    const auto file =
        subnet_file_of(conf_with("10.244.0.0/16", nullptr), node_with({cidr(c.pod_cidr)}), 1450, true);
    REQUIRE(file.has_value());
    CHECK(format_subnet_file(*file) == wanted.str());
  }
}

TEST_CASE("Both families stand in upstream's order, and the plugin reads them", "[flanneld]") {
  const auto file =
      subnet_file_of(conf_with("10.244.0.0/16", "2001:db8::/48"),
                     node_with({cidr("2001:db8:0:3::/64"), cidr("10.244.3.0/24")}), 1450, false);
  REQUIRE(file.has_value());
  const std::string text = format_subnet_file(*file);
  CHECK(text ==
        "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\n"
        "FLANNEL_IPV6_NETWORK=2001:db8::/48\nFLANNEL_IPV6_SUBNET=2001:db8:0:3::1/64\n"
        "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n");
  const auto env = parse_subnet_env(text);
  REQUIRE(env.has_value());
  CHECK(env->subnet6->to_string() == "2001:db8:0:3::1/64");
  CHECK(env->mtu == 1450);
}

TEST_CASE("A lease that does not fit the cluster's network is refused with both", "[flanneld]") {
  const NetConf conf = conf_with("10.244.0.0/16", nullptr);
  const auto absent = subnet_file_of(conf, node_with({cidr("2001:db8:0:3::/64")}), 1450, true);
  REQUIRE_FALSE(absent.has_value());
  CHECK_THAT(absent.error().message, Catch::Contains("node edge-1 has no pod CIDR yet in 10.244.0.0/16"));
  const auto outside = subnet_file_of(conf, node_with({cidr("10.33.1.0/24")}), 1450, true);
  REQUIRE_FALSE(outside.has_value());
  CHECK(outside.error().code == Code::kFailedPrecondition);
  CHECK_THAT(
      outside.error().message,
      Catch::Contains("pod CIDR 10.33.1.0/24 of node edge-1 is not in the cluster's network 10.244.0.0/16"));
}

TEST_CASE("subnet.env is replaced whole, and left alone when it is right", "[flanneld]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  const auto path = folder.path() / "flannel" / "subnet.env";
  SubnetFile file{SubnetFile::Family{cidr("10.244.0.0/16"), cidr("10.244.3.0/24")}, {}, 1450, true};
  REQUIRE(write_subnet_file(files, path, file).has_value());
  CHECK(files.read(path, 4096).value() == format_subnet_file(file));
  CHECK(mode_of(path) == 0644);
  CHECK(mode_of(path.parent_path()) == 0755);
  const std::size_t steps = files.steps();
  REQUIRE(write_subnet_file(files, path, file).has_value());
  CHECK(files.steps() == steps);
  file.mtu = 1400;
  REQUIRE(write_subnet_file(files, path, file).has_value());
  CHECK(files.read(path, 4096).value() == format_subnet_file(file));
  for (const RecordingFiles::Operation& operation : files.operations()) {
    // never in place: a reader must not see half of it
    CHECK(
        (operation.kind != RecordingFiles::Kind::kCreate || operation.path.filename() == ".subnet.env.new"));
  }
}

}  // namespace
}  // namespace holdfast::flannel
