#include "test/cni-flannel/plugin/plugin_host.h"

#include <fcntl.h>
#include <sched.h>

#include <filesystem>
#include <fstream>

#include "test/catch.h"
#include "test/netlink/fresh_netns.h"
#include "test/tools/private_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

Fd namespace_of_process(const char* kind) {
  return Fd(::open((std::string("/proc/self/ns/") + kind).c_str(), O_RDONLY | O_CLOEXEC));
}

void require(const Status& done) {
  INFO((done ? std::string() : done.error().message));
  REQUIRE(done.has_value());
}

PluginEnd end_of(const PluginCall& call) {
  const auto end = run_plugin(call);
  INFO((end ? std::string() : end.error().message));
  REQUIRE(end.has_value());
  return *end;
}

json parsed(const std::string& text) {
  INFO("'" << text << "'");
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  REQUIRE_FALSE(document.is_discarded());
  return document;
}

/// Of the one link that `links` describes.
std::vector<std::string> addresses_shown(const json& links) {
  std::vector<std::string> found;
  for (const json& link : links) {
    for (const json& address : link.value("addr_info", json::array())) {
      if (address.value("scope", "") == "link") continue;
      found.push_back(address.value("local", "") + "/" + std::to_string(address.value("prefixlen", 0)));
    }
  }
  return found;
}

}  // namespace

PluginHost::PluginHost()
    : setup_(flannel_setup(FLANNEL_PLUGIN)),
      outer_network_(namespace_of_process("net")),
      outer_mounts_(namespace_of_process("mnt")) {
  require(enter_private_host({}));
  write_lease(kLeaseV4);
  conf = json::parse(setup_.config);
  conf["cniVersion"] = "1.1.0";
}

PluginHost::~PluginHost() {
  static_cast<void>(::setns(outer_network_.get(), CLONE_NEWNET));
  static_cast<void>(::setns(outer_mounts_.get(), CLONE_NEWNS));
}

void PluginHost::write_lease(std::string_view text) {
  std::filesystem::create_directories("/run/flannel");
  std::ofstream file("/run/flannel/subnet.env");
  file << text;
  file.close();
  REQUIRE(file);
}

void PluginHost::reboot() {
  std::ifstream file("/run/flannel/subnet.env");
  const std::string lease{std::istreambuf_iterator<char>(file), {}};
  require(renew_private_host());
  write_lease(lease);
}

Sandbox PluginHost::start_sandbox(const std::string& id, const std::string& pod, const std::string& uid,
                                  const std::string& name_space) {
  const auto netns = make_netns(id);
  INFO((netns ? std::string() : netns.error().message));
  REQUIRE(netns.has_value());
  return {.container_id = id, .pod = pod, .pod_uid = uid, .netns = *netns, .pod_namespace = name_space};
}

void PluginHost::drop_sandbox(const Sandbox& sandbox) { require(drop_netns(sandbox.netns)); }

PluginCall PluginHost::call(const std::string& verb, const Sandbox& sandbox) const {
  PluginCall made = make_call(setup_, verb, sandbox);
  made.config = conf.dump();
  return made;
}

PluginCall PluginHost::check_call(const Sandbox& sandbox, const json& previous) const {
  PluginCall made = call("CHECK", sandbox);
  json with_result = conf;
  with_result["prevResult"] = previous;
  made.config = with_result.dump();
  return made;
}

PluginCall PluginHost::network_call(const std::string& verb) const {
  return {.binary = setup_.binary,
          .command = verb,
          .ifname = {},
          .cni_path = setup_.cni_path,
          .config = conf.dump()};
}

PluginCall PluginHost::gc_call(const std::vector<Sandbox>& valid) const {
  json list = json::array();
  for (const Sandbox& one : valid) list.push_back({{"containerID", one.container_id}, {"ifname", "eth0"}});
  PluginCall made = network_call("GC");
  json with_list = conf;
  with_list["cni.dev/valid-attachments"] = std::move(list);
  made.config = with_list.dump();
  return made;
}

json PluginHost::add(const PluginCall& call) {
  const PluginEnd end = end_of(call);
  INFO(end.out << end.err);
  REQUIRE(end.exit_code == 0);
  return parsed(end.out);
}

void PluginHost::succeed(const PluginCall& call) {
  const PluginEnd end = end_of(call);
  INFO(end.out << end.err);
  CHECK(end.out.empty());
  REQUIRE(end.exit_code == 0);
}

json PluginHost::refused(const PluginCall& call) {
  const PluginEnd end = end_of(call);
  INFO(end.out << end.err);
  REQUIRE(end.exit_code == 1);
  json error = parsed(end.out);
  CHECK(error.contains("cniVersion"));
  REQUIRE(error.contains("code"));
  REQUIRE(error.contains("msg"));
  return error;
}

Holdings PluginHost::holdings() const {
  const auto held = holdings_of(setup_);
  INFO((held ? std::string() : held.error().message));
  REQUIRE(held.has_value());
  return *held;
}

std::string PluginHost::rules() { return output_of("nft list ruleset"); }

void write_script(const std::filesystem::path& path, const std::string& commands) {
  std::ofstream file(path);
  file << "#!/bin/sh\n" << commands;
  file.close();
  REQUIRE(file);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

json ip(const std::string& arguments) { return parsed(output_of("ip -j -d " + arguments)); }

json ip_in(const Sandbox& sandbox, const std::string& arguments) {
  return ip("-n " + sandbox.container_id + " " + arguments);
}

std::vector<std::string> addresses_in(const Sandbox& sandbox, const std::string& link) {
  return addresses_shown(ip_in(sandbox, "address show dev " + link));
}

std::vector<std::string> addresses_on_host(const std::string& link) {
  return addresses_shown(ip("address show dev " + link));
}

std::string mac_in(const Sandbox& sandbox, const std::string& link) {
  return ip_in(sandbox, "link show dev " + link).at(0).at("address");
}

bool can_ping(const Sandbox& from, const std::string& address) {
  const std::string command = "ping -c 1 -W 1 " + address.substr(0, address.find('/')) + " || true";
  return output_of("nsenter --net=" + from.netns.string() + " " + command).find(" 0% packet loss") !=
         std::string::npos;
}

std::vector<std::string> addresses_of(const json& result) {
  std::vector<std::string> found;
  for (const json& one : result.at("ips")) found.push_back(one.at("address"));
  return found;
}

json pod_interface_of(const json& result) {
  for (const json& link : result.at("interfaces")) {
    if (link.contains("sandbox")) return link;
  }
  FAIL("no interface of the pod in " << result);
  return {};
}

std::string host_link_of(const json& result) { return result.at("interfaces").at(1).at("name"); }

}  // namespace holdfast::test
