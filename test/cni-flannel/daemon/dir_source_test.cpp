#include "cni-flannel/daemon/dir_source.h"

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
  folder.write(".new.yaml", "half: [");
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
  REQUIRE(listing->notes.size() == 4);
  CHECK_THAT(listing->notes[0], Catch::Contains("a.yaml: line 1, column"));
  CHECK_THAT(listing->notes[2],
             Catch::EndsWith("c.json: node c has neither podCidr nor publicIP below spec.flannel, "
                             "so nobody is its peer; is the line 'flannel:' missing?"));
  CHECK_THAT(listing->notes[3],
             Catch::StartsWith("read /") && Catch::Contains("z.yaml: not a regular file (links are"));
  REQUIRE(listing->changed.size() == 2);
  CHECK(listing->changed[0].identity.name == "b");
}

TEST_CASE("A document by which a node is nobody's peer is told, unless that is meant", "[flanneld]") {
  const std::string head =
      "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: a}\n";
  const std::pair<const char*, const char*> rows[] = {
      {"spec: {publicIP: 192.168.0.1, podCidr: 10.244.1.0/24}\n", "neither podCidr nor publicIP"},
      {"spec: {flannel: {publicIP: 192.168.0.1}}\n", "no podCidr below spec.flannel"},
      {"spec: {flannel: {podCidr: 10.244.1.0/24}}\n", ""},  // wanted_peers() tells of the address
      {"spec: {flannel: {subnetKubeManaged: false}}\n", ""},
      {"spec: {removedAt: \"2026-01-01T00:00:00Z\"}\n", ""},
  };
  for (const auto& [spec, note] : rows) {
    DYNAMIC_SECTION(spec) {
      Folder folder;
      folder.write("a.yaml", head + spec);
      const auto listing = NodeFolder(folder.files, folder.path()).read();
      CHECK(listing->names.contains("a"));
      REQUIRE(listing->notes.size() == (note[0] == '\0' ? 0 : 1));
      if (!listing->notes.empty()) CHECK_THAT(listing->notes[0], Catch::Contains(note));
    }
  }
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

TEST_CASE("After a change only the files that are named are looked at", "[flanneld]") {
  Folder folder;
  folder.write("a.yaml", document("a", 1));
  folder.write("b.yaml", document("b", 2));
  NodeFolder nodes(folder.files, folder.path());
  REQUIRE(nodes.read()->changed.size() == 2);
  folder.write("a.yaml", document("a", 7));
  folder.write("b.yaml", document("b", 8));
  folder.write("c.yaml", document("c", 3));
  auto content = nodes.read({"b.yaml", "absent.yaml", "README"});
  REQUIRE(content->changed.size() == 1);
  CHECK(content->changed[0].identity.name == "b");
  CHECK(content->names == NodeNames{"a", "b"});
  CHECK(content->whole);
  REQUIRE(folder.files.remove(folder / "b.yaml").has_value());
  CHECK(nodes.read({"b.yaml"})->names == NodeNames{"a"});
  // what could not be used stays told, whichever file is looked at
  folder.write("c.yaml", "nonsense: [");
  CHECK_FALSE(nodes.read({"c.yaml"})->whole);
  CHECK_FALSE(nodes.read({"a.yaml"})->whole);
  // a second file for a node: which one counts is told as by a look at all
  folder.write("c.yaml", document("a", 9));
  CHECK(nodes.read({"c.yaml"})->changed.at(0).network.pod_cidrs.front().to_string() == "10.244.9.0/24");
  REQUIRE(folder.files.remove(folder / "c.yaml").has_value());
  CHECK(nodes.read({"c.yaml"})->changed.at(0).network.pod_cidrs.front().to_string() == "10.244.7.0/24");
}

/// A folder as kubelet mounts a ConfigMap into it, which it replaces by turning ..data.
struct MountedFolder : Folder {
  void mount(const std::string& generation, const std::string& text) {
    std::filesystem::create_directory(*this / generation);
    write(generation + "/a.yaml", text);
    std::filesystem::create_symlink(generation, *this / "..data_tmp");
    std::filesystem::rename(*this / "..data_tmp", *this / "..data");
  }
};

TEST_CASE("A mounted ConfigMap is read, and again when it is turned", "[flanneld]") {
  MountedFolder folder;
  folder.mount("..2026_1", document("a", 1));
  std::filesystem::create_symlink("..data/a.yaml", folder / "a.yaml");
  NodeFolder nodes(folder.files, folder.path());
  const auto first = nodes.read();
  CHECK(first->whole);
  REQUIRE(first->changed.size() == 1);
  CHECK(nodes.read()->changed.empty());
  folder.mount("..2026_2", document("a", 7));
  CHECK(NodeFolder::concerned_by("..data"));
  CHECK_FALSE(NodeFolder::concerned_by("..2026_2"));
  const auto turned = nodes.read({"..data"});
  REQUIRE(turned->changed.size() == 1);
  CHECK(turned->changed[0].network.pod_cidrs.front().to_string() == "10.244.7.0/24");
}

TEST_CASE("No link leads a folder's reader elsewhere", "[flanneld]") {
  struct Case {
    const char* name;
    const char* data;  // what ..data points to
    const char* link;  // what a.yaml points to
  };
  const auto c = GENERATE(Case{"out of the folder", "..1", "../secret/a.yaml"},
                          Case{"a mount out of the folder", "../secret", "..data/a.yaml"},
                          Case{"a mount that is the parent", "..", "..data/a.yaml"},
                          Case{"a mount that is a link itself", "away", "..data/a.yaml"},
                          Case{"another name", "..1", "..data/b.yaml"},
                          Case{"up from the mount", "..1", "..data/../../secret/a.yaml"});
  DYNAMIC_SECTION(c.name) {
    Folder home;
    for (const char* made : {"secret", "nodes", "nodes/..1"}) std::filesystem::create_directory(home / made);
    for (const char* file : {"secret/a.yaml", "a.yaml", "nodes/..1/b.yaml"}) {
      home.write(file, document("a", 1));
    }
    std::filesystem::create_symlink(c.data, home / "nodes/..data");
    std::filesystem::create_symlink("../secret", home / "nodes/away");
    std::filesystem::create_symlink(c.link, home / "nodes/a.yaml");
    const auto content = NodeFolder(home.files, home / "nodes").read();
    CHECK(content->changed.empty());
    CHECK_FALSE(content->whole);
  }
}

}  // namespace
}  // namespace holdfast::flannel
