#include "test/kube_server/certificates.h"

#include "common/base/exec.h"
#include "test/catch.h"

namespace holdfast::test {

KeyPair Certificates::make(const std::string& name, const std::vector<std::string>& more) {
  const KeyPair out{.certificate = folder_ / (name + ".crt"), .key = folder_ / (name + ".key")};
  Command command{
      .argv = {"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "1", "-subj", "/CN=" + name, "-keyout", out.key, "-out", out.certificate},
      .environment = {"PATH=/usr/bin:/bin"},
      .input = "",
      .deadline = std::chrono::seconds(20)};
  command.argv.insert(command.argv.end(), more.begin(), more.end());
  const auto made = SystemExecutor().run(command);
  REQUIRE(made);
  INFO(made->errors);
  REQUIRE(made->succeeded());
  return out;
}

KeyPair Certificates::authority(const std::string& name) { return make(name, {}); }

KeyPair Certificates::issue(const KeyPair& authority, const std::string& name,
                            const std::string& alternative_names) {
  std::vector<std::string> more{
      "-CA", authority.certificate, "-CAkey", authority.key, "-addext", "basicConstraints=critical,CA:FALSE"};
  if (!alternative_names.empty()) {
    more.insert(more.end(), {"-addext", "subjectAltName=" + alternative_names});
  }
  return make(name, more);
}

}  // namespace holdfast::test
