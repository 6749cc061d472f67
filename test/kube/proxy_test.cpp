#include "common/kube/proxy.h"

#include <map>

#include "test/catch.h"

namespace holdfast::kube {
namespace {

using Variables = std::map<std::string, std::string>;

std::string proxy_of(const std::string& url, const Variables& variables) {
  return proxy_for(parse_url(url).value(), [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST_CASE("the proxy is that of the address's scheme, upper-case names first", "[kube]") {
  const Variables both{
      {"HTTPS_PROXY", "http://s:1"}, {"http_proxy", "http://p:2"}, {"https_proxy", "http://lower"}};
  CHECK(proxy_of("https://api", both) == "http://s:1");
  CHECK(proxy_of("http://api", both) == "http://p:2");
  CHECK(proxy_of("https://api", {}).empty());
}

TEST_CASE("NO_PROXY excepts names, what is below them, addresses and ranges", "[kube]") {
  struct Case {
    const char* no_proxy;
    const char* url;
    bool excepted;
  };
  const Case cases[] = {
      {"", "https://api.example.com", false},
      {"*", "https://api.example.com", true},
      {"example.com", "https://api.example.com", true},
      {"Example.com", "https://example.com", true},
      {"example.com", "https://badexample.com", false},
      {".example.com", "https://example.com", false},
      {"*.example.com", "https://api.example.com", true},
      {" other , api.example.com:6443 ", "https://api.example.com:6443", true},
      {"api.example.com:443", "https://api.example.com:6443", false},
      {"10.96.0.0/12", "https://10.96.0.1", true},
      {"10.96.0.0/16", "https://10.97.0.1", false},
      {"10.96.0.1", "https://10.96.0.1", true},
      {"10.96.0.1:443", "https://10.96.0.1:6443", false},
      {"[fd00::1]:6443", "https://[fd00::1]:6443", true},
      {"fd00::/8", "https://[fd00::1]:6443", true},
      {"1", "https://10.0.0.1", false},
      {",,:,", "https://api", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.no_proxy << " for " << c.url) {
      CHECK(proxy_of(c.url, {{"https_proxy", "http://p"}, {"no_proxy", c.no_proxy}}).empty() == c.excepted);
    }
  }
  CHECK(proxy_of("https://127.0.0.1:6443", {{"HTTPS_PROXY", "http://p"}}).empty());
}

}  // namespace
}  // namespace holdfast::kube
