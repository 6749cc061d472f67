#include "test/egw-gateway/core/gateway_node.h"

#include <filesystem>
#include <stdexcept>

namespace holdfast::test {

GatewayNode::GatewayNode() {
  const auto key = new_key();
  for (AccessEnd* access : {&one, &two}) {
    access->take({key});
    access->speak();
  }
  // routes are the helper's
  static_cast<void>(edge.run("ip route del 172.16.0.0/12; ip -6 route del fd00:172::/32"));
  std::filesystem::copy_file(folder / "keys" / "bfd", folder / "keys" / "bfd-of-helper");
  publish();
  start({"--healthz=:11264"});
  start_helper();
}

void GatewayNode::start_helper() {
  const std::string home = folder.path().native();
  helper.start(edge.netns(),
               {EGW_HELPER_PROGRAM, "--pool=hangzhou", "--node-name=box-1", "--source=dir", "--bridge=eth0",
                "--config-dir=" + home + "/gateways", "--state-dir=" + home + "/egw",
                "--no-masq-dir=" + home + "/no-masq.d", "--bfd-keys=" + home + "/keys/bfd-of-helper",
                "--healthz=127.0.0.1:8083", "--resync=1"},
               folder / "helper.log");
}

double GatewayNode::helper_metric(const std::string& name) const {
  const std::string script =
      "exec 3<>/dev/tcp/127.0.0.1/8083 && printf \"GET /metrics HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3";
  std::string all;
  try {
    all = edge.run("timeout 5 bash -c '" + script + "' 2>/dev/null");
  } catch (const std::runtime_error&) {
    return -1;
  }
  const std::size_t at = all.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(all.substr(at + name.size() + 2));
}

}  // namespace holdfast::test
