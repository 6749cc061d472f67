#include "test/tools/cni_node.h"

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/cidr.h"
#include "test/tools/private_host.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kNetwork[] = "cbr0";
constexpr char kBridge[] = "cni0";

std::string file_text(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error && error.value() != ENOENT) return fail_errno(error.value(), "list " + folder.string());
  return names;
}

/// "10.244.3.2/24" -> "10.244.3.2"
std::string without_prefix(const std::string& cidr) { return cidr.substr(0, cidr.find('/')); }

template <class Names>
std::string joined(const Names& names) {
  std::string text;
  for (const auto& name : names) text += " " + name;
  return text;
}

}  // namespace

PluginSetup flannel_setup(const fs::path& binary, bool ip_masq) {
  json delegate = {{"hairpinMode", true}, {"isDefaultGateway", true}};
  if (ip_masq) delegate["ipMasq"] = true;
  const json config = {
      {"cniVersion", "1.0.0"}, {"name", kNetwork}, {"type", "flannel"}, {"delegate", delegate}};
  return {.name = "flannel",
          .binary = binary,
          .cni_path = binary.parent_path().string(),
          .config = config.dump(),
          .address_dir = fs::path("/var/lib/cni/networks") / kNetwork,
          .conf_dir = "/var/lib/cni/flannel"};
}

PluginSetup bridge_setup(const fs::path& cni_bin, const std::string& folder) {
  const fs::path data_dir = fs::path("/var/lib/cni") / folder / "networks";
  const json ipam = {{"type", "host-local"},
                     {"dataDir", data_dir.string()},
                     {"ranges", {{{{"subnet", "10.244.3.0/24"}}}}},
                     {"routes", {{{"dst", "10.244.0.0/16"}}}}};
  const json config = {{"cniVersion", "1.0.0"},
                       {"name", kNetwork},
                       {"type", "bridge"},
                       {"hairpinMode", true},
                       {"isDefaultGateway", true},
                       {"isGateway", true},
                       {"ipMasq", false},
                       {"mtu", 1450},
                       {"ipam", ipam}};
  return {.name = "bridge",
          .binary = cni_bin / "bridge",
          .cni_path = cni_bin.string(),
          .config = config.dump(),
          .address_dir = data_dir / kNetwork,
          .conf_dir = {}};
}

Status write_subnet_env() {
  std::error_code error;
  fs::create_directories("/run/flannel", error);
  std::ofstream file("/run/flannel/subnet.env");
  file << "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/"
          "24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
  file.close();
  if (!file) return fail_errno(EIO, "write /run/flannel/subnet.env");
  return {};
}

PluginCall make_call(const PluginSetup& setup, const std::string& verb, const Sandbox& sandbox) {
  return {.binary = setup.binary,
          .command = verb,
          .container_id = sandbox.container_id,
          .netns = sandbox.netns.string(),
          .args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=" + sandbox.pod_namespace +
                  ";K8S_POD_NAME=" + sandbox.pod + ";K8S_POD_INFRA_CONTAINER_ID=" + sandbox.container_id +
                  ";K8S_POD_UID=" + sandbox.pod_uid,
          .cni_path = setup.cni_path,
          .config = setup.config};
}

Result<AddResult> parse_add_result(const std::string& text) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  AddResult result;
  if (document.is_object()) {
    for (const json& link : document.value("interfaces", json::array())) {
      if (link.contains("sandbox")) {
        result.mac = link.value("mac", "");
      } else if (link.value("name", "") != kBridge) {
        result.host_link = link.value("name", "");
      }
    }
    for (const json& ip : document.value("ips", json::array())) {
      result.addresses.push_back(without_prefix(ip.value("address", "")));
    }
  }
  if (result.host_link.empty() || result.addresses.empty()) {
    return fail(Code::kInvalidArgument, "not a result of ADD: '" + text + "'");
  }
  return result;
}

std::string Holdings::to_string() const {
  std::string text = "links:" + joined(host_links) + "; addresses:";
  for (const auto& [address, id] : addresses) text += " " + address + "=" + id;
  return text + "; saved configurations:" + joined(confs);
}

Result<Holdings> holdings_of(const PluginSetup& setup) {
  Holdings holdings;
  HOLDFAST_TRY(const std::vector<std::string> links, link_names());
  for (const std::string& link : links) {
    if (link != "lo" && link != kBridge) holdings.host_links.insert(link);
  }
  HOLDFAST_TRY(const std::vector<std::string> files, names_in(setup.address_dir));
  for (const std::string& file : files) {
    if (!IpAddress::parse(file)) continue;
    const std::string content = file_text(setup.address_dir / file);
    holdings.addresses[file] = content.substr(0, content.find('\r'));
  }
  if (setup.conf_dir.empty()) return holdings;
  HOLDFAST_TRY(const std::vector<std::string> confs, names_in(setup.conf_dir));
  holdings.confs.insert(confs.begin(), confs.end());
  return holdings;
}

}  // namespace holdfast::test
