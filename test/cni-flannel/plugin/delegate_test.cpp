#include "cni-flannel/plugin/delegate.h"

#include <nlohmann/json.hpp>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"

namespace holdfast::flannel {
namespace {

cni::JsonPart json(const std::string& text) { return cni::parse_document(text, "test").value(); }

SubnetEnv lease() { return parse_subnet_env(test::fixture("cni/flannel/subnet.env")).value(); }

cni::CniResult<cni::JsonPart> render(const std::string& config, const SubnetEnv& env) {
  HOLDFAST_TRY(const cni::NetConf conf, cni::parse_net_conf(config));
  HOLDFAST_TRY(const FlannelConf flannel, parse_flannel_conf(conf));
  return render_delegate(conf, flannel, env);
}

std::string rendered(const std::string& config, const SubnetEnv& env) {
  return cni::to_text(render(config, env).value());
}

TEST_CASE("the delegate is rendered as a real flannel does", "[flannel]") {
  const auto delegate = render(test::fixture("cni/flannel/config.json"), lease());
  REQUIRE(delegate.has_value());
  CHECK(*delegate.value() == nlohmann::json::parse(test::fixture("cni/flannel/delegate.json")));
}

TEST_CASE("without options the delegate is a gateway bridge over host-local", "[flannel]") {
  SubnetEnv env = lease();
  env.masquerade = false;
  env.subnet6 = Cidr::parse("2001:db8::1/64").value();
  env.networks.push_back(Cidr::parse("2001:db8::/48").value());
  CHECK(rendered(R"({"name":"n"})", env) ==
        R"({"ipMasq":true,"ipam":{"ranges":[[{"subnet":"10.244.0.0/24"}],[{"subnet":"2001:db8::/64"}]],)"
        R"("routes":[{"dst":"10.244.0.0/16"},{"dst":"2001:db8::/48"}],"type":"host-local"},)"
        R"("isGateway":true,"mtu":1450,"name":"n","type":"bridge"})");
}

TEST_CASE("what the delegate has is kept, what the call has is put over it", "[flannel]") {
  CHECK(
      rendered(R"({"name":"n","cniVersion":"0.4.0","runtimeConfig":{"mac":"m"},"args":{"cni":{}},
                     "ipam":{"type":"x","ranges":[[{"subnet":"1.0.0.0/8"}]],"routes":[{"dst":"10.9.0.0/16"}]},
                     "delegate":{"type":"macvlan","ipMasq":true,"MTU":9000,"runtimeConfig":{"mac":"old"},"cniVersion":"0.1.0"}})",
               lease()) ==
      R"({"MTU":9000,"args":{"cni":{}},"cniVersion":"0.4.0","ipMasq":true,)"
      R"("ipam":{"ranges":[[{"subnet":"10.244.0.0/24"}]],"routes":[{"dst":"10.9.0.0/16"},{"dst":"10.244.0.0/16"}],"type":"x"},)"
      R"("name":"n","runtimeConfig":{"mac":"m"},"type":"macvlan"})");
}

TEST_CASE("who does a delegate's work is told by the two types", "[flannel]") {
  struct Case {
    const char* text;
    bool in_process;
    bool has_ipam;
  };
  const Case cases[] = {
      {R"({"type":"bridge","ipam":{"type":"host-local"}})", true, true},
      {R"({"type":"bridge"})", true, false},
      {R"({"type":"bridge","ipam":{}})", true, false},
      {R"({"type":"bridge","ipam":{"type":"dhcp"}})", false, true},
      {R"({"type":"macvlan","ipam":{"type":"host-local"}})", false, true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) {
      const auto kind = kind_of(json(c.text));
      REQUIRE(kind.has_value());
      CHECK(kind->in_process() == c.in_process);
      CHECK(kind->has_ipam() == c.has_ipam);
    }
  }
  for (const char* bad :
       {"{}", R"({"type":""})", R"({"type":7})", R"({"type":"bridge","ipam":7})",
        R"({"type":"bridge","ipam":{"type":7}})", R"({"type":"bridge","ipam":{"subnet":"10.1.0.0/24"}})"}) {
    DYNAMIC_SECTION(bad) {
      const auto kind = kind_of(json(bad));
      REQUIRE_FALSE(kind.has_value());
      CHECK(kind.error().code == cni::CniCode::kInvalidConfig);
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel
