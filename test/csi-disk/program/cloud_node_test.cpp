#include "csi-disk/program/cloud_node.h"

#include <algorithm>
#include <map>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

/// Answers what is told, by the end of the address; anything else is 404.
class FakeHttp final : public cloud::HttpClient {
 public:
  cloud::Answer<cloud::HttpReply> exchange(const cloud::HttpRequest& request,
                                           std::chrono::milliseconds /*deadline*/) override {
    if (request.method == "PUT" && !session.empty()) return cloud::HttpReply{.status = 200, .body = session};
    const bool in_session =
        std::ranges::find(request.headers, std::pair(std::string("X-aliyun-ecs-metadata-token"), session)) !=
        request.headers.end();
    if (!session.empty() && !in_session) return cloud::HttpReply{.status = 403};
    for (const auto& [end, body] : pages) {
      if (request.url.ends_with(end)) return cloud::HttpReply{.status = 200, .body = body};
    }
    return cloud::HttpReply{.status = 404, .body = "<html>no</html>"};
  }
  std::map<std::string, std::string> pages;
  std::string session;  ///< what each request must bear; empty: it has no such thing
};

struct CloudScene {
  Result<CloudNode> learn(const NodeOptions& told = {}) { return learn_node(question(told)); }
  NodeQuestion question(const NodeOptions& told) {
    return {.told = told,
            .vendor = cloud::Vendor::kAlibaba,
            .metadata = "http://metadata",
            .http = http,
            .files = files,
            .file = folder / "place"};
  }
  const NodeOptions none_told = {};
  test::TemporaryFolder folder;
  PosixFiles files;
  FakeHttp http;
};

TEST_CASE_METHOD(CloudScene, "a node is where the cloud says, and where it said when it does not", "[disk]") {
  for (const NodeOptions& some : {NodeOptions{}, NodeOptions{.instance_id = "i-1", .zone = "z-1"}}) {
    const auto unknown = learn(some);  // which is asked for again, and no name is made up
    REQUIRE_FALSE(unknown.has_value());
    CHECK(unknown.error().code == Code::kUnavailable);
    CHECK(unknown.error().message.find("--instance-id") != std::string::npos);
  }
  CHECK(learn({.instance_id = "i-1", .zone = "z-1", .region = "r-1"})->region == "r-1");
  NodeQuestion nobody_tells = question(none_told);
  nobody_tells.vendor.reset();
  CHECK(learn_node(nobody_tells).value() == CloudNode{});
  http.pages = {{"/instance-id", "i-1\n"}, {"/zone-id", "z-1"}, {"/region-id", "r-1"}};
  const CloudNode told{.instance_id = "i-1", .zone = "z-1", .region = "r-1"};
  CHECK(learn().value() == told);
  http.pages.clear();
  CHECK(learn().value() == told);
  CHECK(learn({.zone = "z-9"})->zone == "z-9");
}

TEST_CASE_METHOD(CloudScene, "how many disks a node may have is what its cloud said last", "[disk]") {
  http.pages = {{"/instance-id", "i-1"}, {"/zone-id", "z-1"}, {"/region-id", "r-1"}};
  std::optional<std::uint32_t> most = 8;
  std::string asked;
  const auto learn_most = [&](const NodeOptions& told) {
    const AskAttachLimit ask = [&](const std::string& id) -> Result<std::optional<std::uint32_t>> {
      asked = id;
      if (!most) return fail(Code::kUnavailable, "no answer");
      return most;
    };
    const NodeQuestion question = this->question(told);
    return learn_limit(question, learn_node(question).value(), ask)->attach_limit;
  };
  CHECK(learn_most({}) == 8);
  CHECK(asked == "i-1");
  most.reset();
  CHECK(learn_most({}) == 8);
  http.pages.clear();
  CHECK(learn_most({}) == 8);
  CHECK(learn()->attach_limit == 8);
  http.pages = {{"/instance-id", "i-2"}, {"/zone-id", "z-1"}, {"/region-id", "r-1"}};
  CHECK_FALSE(learn_most({}).has_value());
  most = 16;
  CHECK(learn_most({.instance_id = "i-3", .zone = "z-1", .region = "r-1"}) == 16);
  CHECK(asked == "i-3");
}

TEST_CASE_METHOD(CloudScene, "a hardened instance is asked in a session", "[disk]") {
  http.pages = {{"/instance-id", "i-1"}, {"/zone-id", "z-1"}, {"/region-id", "r-1"}};
  http.session = "token-1";
  CHECK(learn().value() == CloudNode{.instance_id = "i-1", .zone = "z-1", .region = "r-1"});
}

TEST_CASE_METHOD(CloudScene, "why the metadata service tells nothing is said", "[disk]") {
  const auto unknown = learn();
  REQUIRE_FALSE(unknown);
  CHECK_THAT(unknown.error().message, Catch::Contains("/latest/meta-data/instance-id: status 404"));
}

TEST_CASE_METHOD(CloudScene, "a page that is no name is no answer", "[disk]") {
  for (const std::string& page : {std::string("<html> a b"), std::string(), std::string(129, 'x')}) {
    http.pages = {{"/instance-id", page}, {"/zone-id", "z-1"}, {"/region-id", "r-1"}};
    CHECK_FALSE(ask_metadata(http, cloud::Vendor::kAlibaba, "http://metadata").has_value());
  }
  http.pages = {{"/instance-id", "ins-1"}, {"/placement/zone", "z-1"}, {"/placement/region", "r-1"}};
  CHECK(ask_metadata(http, cloud::Vendor::kTencent, "http://metadata")->zone == "z-1");
}

TEST_CASE("a region stands in a node's name before an IPv4 address", "[disk]") {
  CHECK(region_in_name("zj-shaoxing-2.10.0.0.3") == "zj-shaoxing-2");
  CHECK(region_in_name("a.b.172.16.0.4") == "a.b");
  for (const char* other :
       {"", "edge-1", "10.0.0.3", "edge.10.0.0", "edge.10.0.0.256", "edge.10.0.0.3.", ".", "edge.fe80::1"}) {
    CAPTURE(other);
    CHECK(region_in_name(other).empty());
  }
}

TEST_CASE("the topology of a node has each key whose value is known, and always the first", "[disk]") {
  using Map = std::map<std::string, std::string>;
  const std::vector<std::string> keys{"topology.x/zone", "topology.kubernetes.io/region", "a/ecs-instance-id",
                                      "kubernetes.io/hostname", "b/rack"};
  CHECK(topology_of(keys, {.instance_id = "i-1", .zone = "z-1", .region = "r-1"}, "edge-1").value() ==
        Map{{"topology.x/zone", "z-1"},
            {"topology.kubernetes.io/region", "r-1"},
            {"a/ecs-instance-id", "i-1"},
            {"kubernetes.io/hostname", "edge-1"}});
  CHECK(topology_of(keys, {.zone = "z-1"}, "edge-1")->size() == 2);
  CHECK(topology_of({}, {}, "edge-1")->empty());
  const auto unknown = topology_of(keys, {.region = "r-1"}, "edge-1");
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().code == Code::kUnavailable);
  CHECK(unknown.error().message.find("--zone") != std::string::npos);
}

}  // namespace
}  // namespace holdfast::disk
