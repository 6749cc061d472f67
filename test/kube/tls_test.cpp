#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/state_file.h"
#include "test/fakes/temporary_folder.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/certificates.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/tls_relay.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

struct Scene : test::HttpScene {
  test::TemporaryFolder folder;
  test::Certificates certificates{folder.path()};
  test::ApiServer server{*loop};
  test::KeyPair authority = certificates.authority("authority");
  test::KeyPair own = certificates.issue(authority, "server", "IP:127.0.0.1,DNS:api.example");
  Config config;

  // What `path` holds as of now.
  void put(const std::filesystem::path& path, const std::filesystem::path& from) {
    REQUIRE(replace_file(files, path, files.read(from, 65536).value().value()));
  }
  Answer get(const test::TlsRelay& relay) {
    config.server = relay.url();
    connect(config);
    return again();
  }
  Answer again() { return ask({.path = "/api/v1/nodes"}); }
};

void check_refused(const test::HttpScene::Answer& answer, const std::string& words) {
  REQUIRE_FALSE(answer.end->has_value());
  CHECK(answer.end->error().code == Code::kPermissionDenied);
  CHECK_THAT(answer.error(), Catch::Contains(words));
}

TEST_CASE("a server is believed when our authority signed for its name, and not otherwise", "[kube]") {
  Scene scene;
  scene.config.ca.file = scene.authority.certificate;
  SECTION("signed for the address") {
    const test::TlsRelay relay(scene.server.url(), scene.own);
    CHECK(scene.get(relay).status() == 200);
  }
  SECTION("signed by another") {
    const auto stranger = scene.certificates.authority("stranger");
    const test::TlsRelay relay(scene.server.url(),
                               scene.certificates.issue(stranger, "server2", "IP:127.0.0.1"));
    check_refused(scene.get(relay), "certificate");
    CHECK(scene.server.requests().empty());
  }
  SECTION("no authority is given: the system's do not know it") {
    scene.config.ca = {};
    const test::TlsRelay relay(scene.server.url(), scene.own);
    check_refused(scene.get(relay), "certificate");
  }
  SECTION("signed for another name") {
    const test::TlsRelay relay(scene.server.url(), scene.certificates.issue(scene.authority, "server2",
                                                                            "IP:192.0.2.1,DNS:b.example"));
    check_refused(scene.get(relay), "127.0.0.1");
    CHECK(scene.server.requests().empty());
  }
  SECTION("the kubeconfig says which name it has") {
    const test::TlsRelay relay(scene.server.url(),
                               scene.certificates.issue(scene.authority, "server2", "DNS:b.example"));
    scene.config.tls_server_name = "b.example";
    CHECK(scene.get(relay).status() == 200);
    scene.config.tls_server_name = "c.example";
    check_refused(scene.get(relay), "c.example");
  }
  SECTION("nobody is to be verified") {
    scene.config.ca = {};
    scene.config.verify_server = false;
    const test::TlsRelay relay(scene.server.url(), scene.own);
    CHECK(scene.get(relay).status() == 200);
  }
}

TEST_CASE("a certificate is shown to a server that asks for one", "[kube]") {
  Scene scene;
  const test::TlsRelay relay(scene.server.url(), scene.own, scene.authority.certificate);
  const test::KeyPair client = scene.certificates.issue(scene.authority, "client", "");
  scene.config.ca.file = scene.authority.certificate;
  SECTION("none") { CHECK_FALSE(scene.get(relay).end->has_value()); }
  SECTION("one of another authority") {
    const auto stranger = scene.certificates.authority("stranger");
    const test::KeyPair other = scene.certificates.issue(stranger, "client2", "");
    scene.config.client_certificate.file = other.certificate;
    scene.config.client_key.file = other.key;
    CHECK_FALSE(scene.get(relay).end->has_value());
  }
  SECTION("one of the right authority") {
    scene.config.client_certificate.file = scene.folder / "current.crt";
    scene.config.client_key.file = scene.folder / "current.key";
    scene.put(scene.config.client_certificate.file, client.certificate);
    scene.put(scene.config.client_key.file, client.key);
    CHECK(scene.get(relay).status() == 200);
  }
  CHECK(scene.server.requests().size() <= 1);
}

TEST_CASE("an authority that is replaced is read again when the server is not believed any more", "[kube]") {
  Scene scene;
  test::TlsRelay relay(scene.server.url(), scene.own);
  scene.config.ca.file = scene.folder / "ca.crt";
  scene.put(scene.config.ca.file, scene.authority.certificate);
  REQUIRE(scene.get(relay).status() == 200);
  const auto next = scene.certificates.authority("next");
  relay.present(scene.certificates.issue(next, "server2", "IP:127.0.0.1"));
  scene.server.http().drop_all();
  check_refused(scene.again(), "certificate");
  scene.put(scene.config.ca.file, next.certificate);
  CHECK(scene.again().status() == 200);
}

TEST_CASE("a token that was replaced is the new one on a connection that is kept", "[kube]") {
  Scene scene;
  const test::TlsRelay relay(scene.server.url(), scene.own);
  scene.config.ca.file = scene.authority.certificate;
  scene.config.token.file = scene.folder / "token";
  scene.server.require_token("new");
  REQUIRE(replace_file(scene.files, scene.config.token.file, "old\n"));
  const auto refused = scene.get(relay);
  CHECK(refused.status() == 401);
  REQUIRE(replace_file(scene.files, scene.config.token.file, "new\n"));
  const auto taken = scene.again();
  CHECK(taken.status() == 200);
  CHECK(taken.head.connection == refused.head.connection);
}

TEST_CASE("a server that speaks no TLS gets no credentials", "[kube]") {
  Scene scene;
  scene.config.server = "https" + scene.server.url().substr(4);
  scene.config.token.bytes = "secret";
  scene.connect(scene.config);
  CHECK_FALSE(scene.again().end->has_value());
  CHECK(scene.server.requests().empty());
}

}  // namespace
}  // namespace holdfast::kube
