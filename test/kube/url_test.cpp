#include "common/kube/url.h"

#include "test/catch.h"

namespace holdfast::kube {
namespace {

TEST_CASE("a server's address is split, and written with its port", "[kube]") {
  const std::pair<const char*, const char*> cases[] = {
      {"https://10.96.0.1", "https://10.96.0.1:443"},
      {"http://127.0.0.1:10261/", "http://127.0.0.1:10261"},
      {"https://API.Example.com:6443/k8s/clusters/c-1//", "https://api.example.com:6443/k8s/clusters/c-1"},
      {"https://[FD00::1]:6443", "https://[fd00::1]:6443"},
      {"https://[fd00::1]", "https://[fd00::1]:443"},
  };
  for (const auto& [text, canonical] : cases) {
    DYNAMIC_SECTION(text) { CHECK(parse_url(text).value().to_string() == canonical); }
  }
}

TEST_CASE("an address that a request could not be sent to is refused", "[kube]") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "begin with http"},
      {"10.0.0.1:6443", "begin with http"},
      {"ftp://host", "begin with http"},
      {"https://", "host name"},
      {"https://user:secret@host", "the address of a server holds an '@'; credentials go elsewhere"},
      {"https://a b", "host name"},
      {"https://[fd00::1", "host name"},
      {"https://[fd00::1]6443", "host name"},
      {"https://[10.0.0.1]", "host name"},
      {"https://host:0", "port"},
      {"https://host:65536", "port"},
      {"https://host:64x", "port"},
      {"https://host/a?b", "path"},
      {"https://host/a\nb", "path"},
  };
  for (const auto& [text, error] : cases) {
    DYNAMIC_SECTION(text) {
      const auto url = parse_url(text);
      REQUIRE_FALSE(url);
      CHECK_THAT(url.error().message, Catch::Contains(error));
    }
  }
}

TEST_CASE("what is sent to loopback is not seen outside", "[kube]") {
  for (const char* text : {"http://localhost:1", "http://127.3.2.1", "http://[::1]:8080"}) {
    CHECK(parse_url(text).value().is_loopback());
  }
  for (const char* text : {"http://localhost.example", "http://128.0.0.1", "http://[::2]"}) {
    CHECK_FALSE(parse_url(text).value().is_loopback());
  }
}

}  // namespace
}  // namespace holdfast::kube
