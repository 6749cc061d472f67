#include "cni-flannel/daemon/dir_source.h"

#include <poll.h>

#include <filesystem>

#include "cni-flannel/daemon/vtep_mac.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

using test::TemporaryFolder;

std::string document(const std::string& name, int subnet, const std::string& more = "") {
  return "---\napiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: " +
         name + "}\nspec:\n  flannel:\n    publicIP: 192.168.0." + std::to_string(subnet) +
         "\n    podCidr: 10.244." + std::to_string(subnet) + ".0/24\n" + more;
}

struct Folder : TemporaryFolder {
  void write(const std::string& name, const std::string& text) {
    REQUIRE(files.remove(*this / name).has_value());
    REQUIRE(files.create(*this / name, text, 0644).has_value());
  }
  PosixFiles files;
};

TEST_CASE("Every document of the folder is a node, and what a file need not say is derived", "[flanneld]") {
  Folder folder;
  folder.write("b.yaml", document("b", 2) + document("c", 3));
  folder.write("a.yml", document("a", 1, "    backendData: {VNI: 1, VtepMAC: 02:00:00:00:00:01}\n"));
  folder.write(".b.yaml.swp", "nonsense: [");
  folder.write("README", "nonsense: [");
  const auto listing = NodeFolder(folder.files, folder.path()).read();
  REQUIRE(listing.has_value());
  CHECK(listing->whole);
  CHECK(listing->notes.empty());
  REQUIRE(listing->changed.size() == 3);
  CHECK(listing->changed[0].network.backend_data->vtep_mac.to_string() == "02:00:00:00:00:01");
  CHECK(listing->changed[1].network.backend_data->vtep_mac == derived_vtep_mac("b", IpFamily::kV4));
  CHECK(listing->changed[1].network.backend_type == "vxlan");
  CHECK_FALSE(listing->changed[1].network.backend_v6_data.has_value());
}

TEST_CASE("A file that cannot be used makes the list partial and hides no other", "[flanneld]") {
  Folder folder;
  folder.write("a.yaml", "nonsense: [");
  folder.write("b.yaml", document("b", 2) + "---\nkind: Pod\n");
  folder.write(
      "c.json",
      R"({"apiVersion":"net.holdfast.dev/v1alpha1","kind":"NodeNetworkConfiguration","metadata":{"name":"c"}})");
  std::filesystem::create_symlink(folder / "b.yaml", folder / "z.yaml");
  const auto listing = NodeFolder(folder.files, folder.path()).read();
  REQUIRE(listing.has_value());
  CHECK_FALSE(listing->whole);
  CHECK(listing->notes.size() == 3);
  CHECK_THAT(listing->notes[0], Catch::Contains("a.yaml: line 1, column"));
  REQUIRE(listing->changed.size() == 2);
  CHECK(listing->changed[0].identity.name == "b");
}

TEST_CASE("Of a node in two files the later file counts", "[flanneld]") {
  Folder folder;
  folder.write("1.yaml", document("a", 1) + document("b", 2));
  folder.write("2.yaml", document("a", 7));
  const auto listing = NodeFolder(folder.files, folder.path()).read();
  REQUIRE(listing->changed.size() == 2);
  CHECK(listing->changed[1].network.pod_cidrs.front().to_string() == "10.244.7.0/24");
}

TEST_CASE("Only files that have changed are read again, and what is gone is not named any more",
          "[flanneld]") {
  Folder folder;
  folder.write("a.yaml", document("a", 1) + document("b", 2));
  folder.write("c.yaml", document("c", 3));
  NodeFolder nodes(folder.files, folder.path());
  CHECK(nodes.read()->changed.size() == 3);
  CHECK(nodes.read()->changed.empty());
  folder.write("c.yaml", document("c", 7));
  auto content = nodes.read();
  REQUIRE(content->changed.size() == 1);
  CHECK(content->changed[0].network.pod_cidrs.front().to_string() == "10.244.7.0/24");
  CHECK(content->names == NodeNames{"a", "b", "c"});
  folder.write("a.yaml", document("a", 1));
  CHECK(nodes.read()->names == NodeNames{"a", "c"});
  // what could not be used stays told while the file is as it is
  folder.write("c.yaml", "nonsense: [");
  CHECK_FALSE(nodes.read()->whole);
  CHECK_FALSE(nodes.read()->whole);
}

TEST_CASE("A node that leaves the later of two files is what the earlier says", "[flanneld]") {
  Folder folder;
  folder.write("1.yaml", document("a", 1));
  folder.write("2.yaml", document("a", 7));
  NodeFolder nodes(folder.files, folder.path());
  CHECK(nodes.read()->changed.at(0).network.pod_cidrs.front().to_string() == "10.244.7.0/24");
  folder.write("1.yaml", document("a", 2));
  CHECK(nodes.read()->changed.at(0).network.pod_cidrs.front().to_string() == "10.244.7.0/24");
  REQUIRE(folder.files.remove(folder / "2.yaml").has_value());
  CHECK(nodes.read()->changed.at(0).network.pod_cidrs.front().to_string() == "10.244.2.0/24");
}

TEST_CASE("A folder that is not there is an error, not an empty list", "[flanneld]") {
  Folder folder;
  CHECK(NodeFolder(folder.files, folder / "absent").read().error().code == Code::kNotFound);
  CHECK(NodeFolder(folder.files, folder.path()).read()->names.empty());
}

bool has_news(FolderWatch& watch) {
  pollfd poll_fd{watch.fd(), POLLIN, 0};
  const bool news = ::poll(&poll_fd, 1, 0) == 1;
  REQUIRE(watch.drain().has_value());
  return news;
}

TEST_CASE("Files that come, change, move and go are noticed, and so is a folder that is made later",
          "[flanneld]") {
  Folder folder;
  const auto deep = folder / "etc/nodes";
  auto watch = FolderWatch::open(deep).value();
  CHECK_FALSE(has_news(watch));
  std::filesystem::create_directory(folder / "etc");
  CHECK(has_news(watch));
  std::filesystem::create_directory(deep);
  CHECK(has_news(watch));
  folder.write("etc/nodes/a.yaml", "a");
  CHECK(has_news(watch));
  CHECK_FALSE(has_news(watch));
  folder.write("etc/nodes/a.yaml", "b");
  CHECK(has_news(watch));
  std::filesystem::rename(deep / "a.yaml", deep / "b.yaml");
  CHECK(has_news(watch));
  std::filesystem::remove(deep / "b.yaml");
  CHECK(has_news(watch));
  std::filesystem::rename(deep, folder / "old");
  CHECK(has_news(watch));
  std::filesystem::create_directory(deep);
  CHECK(has_news(watch));
  folder.write("etc/nodes/c.yaml", "c");
  CHECK(has_news(watch));
}

}  // namespace
}  // namespace holdfast::flannel
