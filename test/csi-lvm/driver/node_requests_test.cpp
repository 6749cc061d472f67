#include "csi-lvm/driver/node_requests.h"

#include "test/csi/driver_tests.h"

namespace holdfast::lvm {
namespace {

using csi::test::message;
using csi::test::refuses;
using csi::v1::VolumeCapability;

LocalVolume volume(const std::string& content = {}) {
  LocalVolume out;
  out.name = {"vg", "pvc-1"};
  out.content = content;
  return out;
}

VolumeCapability capability(const std::string& mount) {
  return message<VolumeCapability>("mount { " + mount + " } access_mode { mode: SINGLE_NODE_WRITER }");
}

TEST_CASE("a volume is prepared on its device, as its tag tells", "[lvm driver]") {
  const auto prepared = [](const std::string& attributes, const std::string& content = {}) {
    auto request = message<csi::v1::NodeStageVolumeRequest>("volume_id: 'pvc-1' " + attributes);
    *request.mutable_volume_capability() = capability("");
    return prepare_request_of(request, volume(content)).value();
  };
  const auto attribute = [](const std::string& key, const std::string& value) {
    return "volume_context { key: '" + key + "' value: '" + value + "' } ";
  };
  const block::PrepareRequest plain = prepared("");
  CHECK(plain.device == "/dev/vg/pvc-1");
  CHECK(plain.provenance.kind == block::Provenance::Kind::kNone);
  CHECK(prepared("", "new").provenance.kind == block::Provenance::Kind::kNew);
  CHECK(prepared("", "formatted:u-1").provenance.uuid == "u-1");
  CHECK(prepared(attribute("volumeType", "LVM") + attribute("vgName", "vg")).device == "/dev/vg/pvc-1");
  refuses(prepare_request_of(message<csi::v1::NodeStageVolumeRequest>(attribute("volumeType", "QuotaPath")),
                             volume()),
          Code::kInvalidArgument);
}

TEST_CASE("the source of a mount names its volume in either of two ways", "[lvm driver]") {
  struct Case {
    const char* source;
    const char* id;
    bool named;
  };
  const Case cases[] = {
      {"/dev/vg/pvc-1", "pvc-1", true},
      {"/dev/mapper/vg-pvc--1", "pvc-1", true},
      {"/dev/mapper/my--vg-pvc--1", "pvc-1", true},
      {"/dev/vg/pvc-11", "pvc-1", false},
      {"/dev/vg/my-pvc-1", "pvc-1", false},
      {"/dev/mapper/vg-a--b", "b", false},
      {"/dev/mapper/vg--b", "b", false},
      {"/dev/mapper/vg---b", "b", true},
      {"/srv/share/pvc-1", "pvc-1", false},
      {"tmpfs", "tmpfs", false},
      {"", "", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.source, c.id);
    CHECK(is_named_by(c.source, c.id) == c.named);
  }
}

}  // namespace
}  // namespace holdfast::lvm
