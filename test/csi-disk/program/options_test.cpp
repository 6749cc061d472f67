#include "csi-disk/program/options.h"

#include <fstream>
#include <sstream>

#include "csi-disk/program/csi_disk.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

std::optional<std::string> no_environment(const std::string& /*name*/) { return std::nullopt; }

TEST_CASE("csi-disk is told by flags what it is", "[disk]") {
  Options options;
  const std::vector<std::string> arguments{
      "--mode=controller", "--profile=cbs",   "--backend=tencent",
      "--instance-id=i-1", "--zone=z-1",      "--region=r-1",
      "--attach-limit=16", "--by-id=/run/id", "--cloud-endpoint=http://[::1]:80",
      "--cluster-id=c-1",  "--kubeconfig=/k"};
  REQUIRE(parse_options(arguments, no_environment, options).has_value());
  CHECK(options.mode == Mode::kController);
  CHECK(options.profile == "cbs");
  CHECK(options.backend == Backend::kTencent);
  CHECK(options.node.instance_id == "i-1");
  CHECK(options.node.zone == "z-1");
  CHECK(options.node.region == "r-1");
  CHECK(options.node.attach_limit == 16U);
  CHECK(options.node.by_id == "/run/id");
  CHECK(options.socket == "/csi/csi.sock");
  CHECK(options.cluster.id == "c-1");
  CHECK(options.cluster.kubeconfig == "/k");
}

TEST_CASE("csi-disk may have its disks made by another program", "[disk]") {
  Options options;
  const std::vector<std::string> arguments{"--backend=plugin", "--plugin=/run/disks.sock"};
  REQUIRE(parse_options(arguments, no_environment, options).has_value());
  CHECK(options.backend == Backend::kPlugin);
  CHECK(options.plugin == "/run/disks.sock");
}

TEST_CASE("what csi-disk cannot be is refused by the name of the flag", "[disk]") {
  for (const char* argument :
       {"--mode=both", "--backend=floppy", "--attach-limit=-1", "--attach-limit=many",
        "--endpoint=tcp://1.2.3.4", "--none", "--cluster-id=", "--cluster-id=a b", "--node-id=a b"}) {
    CAPTURE(argument);
    Options options;
    CHECK(parse_options(std::vector<std::string>{argument}, no_environment, options).error().code ==
          Code::kInvalidArgument);
  }
  std::ostringstream out;
  std::ostringstream error;
  CHECK(csi_disk(std::vector<std::string>{"--help"}, no_environment, out, error) == 0);
  CHECK(out.str().find("  --profile NAME|FILE ") != std::string::npos);
}

TEST_CASE("a profile is named shortly, by its driver, or by a file", "[disk]") {
  struct Case {
    const char* name;
    const char* driver;
    Backend backend;
  };
  const Case cases[] = {{"alibaba", "diskplugin.csi.alibabacloud.com", Backend::kAlibaba},
                        {"ens", "ensplugin.csi.alibabacloud.com", Backend::kStatic},
                        {"eck", "eck.csi.k8s.io", Backend::kStatic},
                        {"eck.csi.k8s.io", "eck.csi.k8s.io", Backend::kStatic},
                        {"cbs", "com.tencent.cloud.csi.cbs", Backend::kTencent},
                        {"sim", "sim.disk.csi.holdfast.dev", Backend::kAlibaba}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const csi::Profile profile = disk_profile(c.name).value();
      CHECK(profile.driver_name == c.driver);
      CHECK(usual_backend(profile) == c.backend);
    }
  }
  for (const char* wrong : {"", "aws", "nasplugin.csi.alibabacloud.com"}) {
    CHECK(disk_profile(wrong).error().code == Code::kInvalidArgument);
  }
  const test::TemporaryFolder folder;
  const std::string file = (folder / "profile.json").native();
  CHECK(disk_profile(file).error().code == Code::kNotFound);
  std::ofstream(file) << R"({"driverName": "disk.example.com", "kind": "disk", "handleSerial": "whole"})";
  CHECK(disk_profile(file)->driver_name == "disk.example.com");
  CHECK(cloud_name_of(disk_profile(file).value()).empty());
  CHECK(usual_backend(disk_profile(file).value()) == Backend::kStatic);
  std::ofstream(file) << R"({"driverName": "disk.example.com"})";
  CHECK(disk_profile(file).error().message.find("kind") != std::string::npos);
}

}  // namespace
}  // namespace holdfast::disk
