// What csi-nas's controller tells of volumes of sites. Apart from the tests of what threads share: messages
// of CSI are built without the thread sanitizer, and cannot be used with it.
#include "common/csi/proto/csi.pb.h"
#include "csi-nas/controller/nas_controller.h"
#include "test/catch.h"
#include "test/csi-nas/cluster/site_scene.h"
#include "test/csi/driver_tests.h"

namespace holdfast::nas::test {
namespace {

constexpr const char* kPoolKey = "apps.openyurt.io/nodepool";
constexpr const char* kSite = "hangzhou-1";

TEST_CASE_METHOD(SiteScene, "a site's volume is told with its pool, and refused where the pod is not to run",
                 "[nas site]") {
  SceneController controller(*this);
  SceneNode one(*this, "edge-1", kSite);
  one.start();
  NasController driver(controller.volumes);
  const csi::test::PatientCall call;
  const auto create = [&](const std::string& name, const std::string& site, const std::string& pool) {
    const std::string where = pool.empty() ? ""
                                           : " accessibility_requirements { requisite { segments { key: "
                                             "'apps.openyurt.io/nodepool' value: '" +
                                                 pool + "' } } }";
    const auto request = csi::test::message<csi::v1::CreateVolumeRequest>(
        "name: '" + name +
        "' volume_capabilities { mount {} } parameters { key: 'server' value: '10.0.0.5:/exports' }" +
        (site.empty() ? "" : " parameters { key: 'site' value: '" + site + "' }") + where);
    csi::v1::CreateVolumeResponse response;
    Status done = driver.create_volume(call, request, response);
    for (int tries = 0; !done && done.error().code == Code::kAborted && tries < 100; ++tries) {
      done = driver.create_volume(call, request, response);
    }
    return done ? Result<csi::v1::Volume>(response.volume()) : tl::unexpected(done.error());
  };
  const auto made = create("pvc-1", kSite, kSite);
  REQUIRE(made);
  REQUIRE(made->accessible_topology_size() == 1);
  CHECK(made->accessible_topology(0).segments().at(kPoolKey) == kSite);
  CHECK(made->volume_context().at("path") == "/exports/pvc-1");
  CHECK(create("pvc-2", kSite, "beijing-2").error().code == Code::kResourceExhausted);
  CHECK(create("pvc-3", "-no name-", "").error().code == Code::kInvalidArgument);
  const auto everywhere = create("pvc-4", "", "beijing-2");
  REQUIRE(everywhere);
  CHECK(everywhere->accessible_topology_size() == 0);
  CHECK(controller.own.begun == 1);
}

}  // namespace
}  // namespace holdfast::nas::test
