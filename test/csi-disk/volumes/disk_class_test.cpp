#include "csi-disk/volumes/disk_class.h"

#include <string>
#include <vector>

#include "csi-disk/volumes/node_attributes.h"
#include "test/catch.h"

namespace holdfast::disk {
namespace {

const DiskCloud& cloud(std::string_view name) {
  for (const DiskCloud& each : known_clouds()) {
    if (each.name == name) return each;
  }
  FAIL("there is no cloud " << name);
  return known_clouds().front();
}

DiskClass parsed(const Parameters& given, std::string_view of = "alibaba") {
  const Result<DiskClass> result = parse_disk_class(given, cloud(of));
  INFO((result ? "" : result.error().message));
  REQUIRE(result.has_value());
  return *result;
}

using Words = std::vector<std::string>;

TEST_CASE("a class without parameters asks for the cloud's usual disks", "[disk class]") {
  for (const char* const type : {"", "available", " available "}) {
    DYNAMIC_SECTION("'" << type << "'") {
      CHECK(parsed({{"type", type}}).types == Words{"cloud_ssd", "cloud_efficiency"});
    }
  }
  const DiskClass bare = parsed({});
  CHECK(bare.types == Words{"cloud_ssd", "cloud_efficiency"});
  CHECK(bare.levels.empty());
  CHECK(bare.zones.empty());
  CHECK_FALSE(bare.encrypted);
  CHECK_FALSE(bare.multi_attach);
  CHECK_FALSE(bare.bursting.has_value());
  CHECK(bare.for_node.empty());
}

TEST_CASE("lists keep their order, whatever blanks they have", "[disk class]") {
  CHECK(parsed({{"type", "cloud_efficiency, cloud_ssd, cloud_essd"}}).types ==
        Words{"cloud_efficiency", "cloud_ssd", "cloud_essd"});
  CHECK(parsed({{"type", ",cloud_essd,,cloud_essd , cloud_auto,"}}).types ==
        Words{"cloud_essd", "cloud_auto"});
  CHECK(parsed({{"performanceLevel", "PL3,pl1 ,PL0"}}).levels == Words{"PL3", "PL1", "PL0"});
  CHECK(parsed({{"zoneId", "cn-hangzhou-a, cn-hangzhou-b,cn-hangzhou-c"}}).zones ==
        Words{"cn-hangzhou-a", "cn-hangzhou-b", "cn-hangzhou-c"});
}

TEST_CASE("every documented key is taken, in the spellings that manifests have", "[disk class]") {
  const DiskClass out = parsed({{"type", "cloud_essd"},
                                {"zoneid", "cn-beijing-a"},
                                {"regionId", "cn-beijing"},
                                {"fstype", "xfs"},
                                {"readonly", "true"},
                                {"encrypted", "Yes"},
                                {"alibabacloud.com/kms-key-id", "key-1"},
                                {"performanceLevel", "PL1"},
                                {"provisionedIops", "40000"},
                                {"burstingEnabled", "1"},
                                {"resourceGroupId", "rg-1"},
                                {"storageClusterId", "dbsc-1"},
                                {"diskTags", "a:b,b:c:d"},
                                {"diskTags/Team", " storage "},
                                {"multiAttach", "Enabled"},
                                {"volumeSizeAutoAvailable", "true"},
                                {"volumeDeleteSnapshotRetentionDays", "7"},
                                {"volumeExpandAutoSnapshot", "closed"},
                                {"mkfsOptions", "-O project,quota"},
                                {"omitfsck", "true"},
                                {"sysConfig", "/queue/read_ahead_kb=4096"},
                                {"restrictToHpnZone", "false"},
                                {"alibabacloud.com/createdisk-arn", ""},
                                {"csi.storage.k8s.io/pvc/name", "disk-pvc"},
                                {"csi.storage.k8s.io/anything", "?"}});
  CHECK(out.types == Words{"cloud_essd"});
  CHECK(out.zones == Words{"cn-beijing-a"});
  CHECK(out.region == "cn-beijing");
  CHECK(out.encrypted);
  CHECK(out.key == "key-1");
  CHECK(out.levels == Words{"PL1"});
  CHECK(out.iops == 40000);
  CHECK(out.bursting == true);
  CHECK(out.resource_group == "rg-1");
  CHECK(out.storage_cluster == "dbsc-1");
  CHECK(out.tags == Tags{{"a", "b"}, {"b", "c:d"}, {"Team", "storage"}});
  CHECK(out.multi_attach);
  CHECK(out.round_up_small);
  CHECK(out.keep_days == 7);
  CHECK(out.for_node == Parameters{{"fsType", "xfs"},
                                   {"readOnly", "true"},
                                   {"mkfsOptions", "-O project,quota"},
                                   {"omitfsck", "true"},
                                   {"sysConfig", "/queue/read_ahead_kb=4096"}});
}

TEST_CASE("a boolean never fails: what is not yes, true or 1 is false", "[disk class]") {
  for (const char* const word : {"no", "false", "", "0", "on", "enabled", "TRUE!"}) {
    DYNAMIC_SECTION("'" << word << "'") {
      const DiskClass out = parsed({{"encrypted", word}, {"volumeSizeAutoAvailable", word}});
      CHECK_FALSE(out.encrypted);
      CHECK_FALSE(out.round_up_small);
    }
  }
  CHECK_FALSE(parsed({{"multiAttach", "yes"}}).multi_attach);
  CHECK(parsed({{"encrypted", "YES"}}).encrypted);
}

TEST_CASE("the fstype of Kubernetes is the file system's too", "[disk class]") {
  CHECK(parsed({{"csi.storage.k8s.io/fstype", "ext3"}}).for_node == Parameters{{"fsType", "ext3"}});
  CHECK(parsed({{"csi.storage.k8s.io/fstype", "xfs"}, {"fsType", "xfs"}}).for_node.at("fsType") == "xfs");
}

TEST_CASE("what a class may not say is refused by name", "[disk class]") {
  struct Case {
    const char* name;
    Parameters given;
    const char* told;
  };
  Parameters many;
  for (int i = 0; i <= static_cast<int>(kMostTags); ++i) many["diskTags/" + std::to_string(i)] = "x";
  const Case cases[] = {
      {"a misspelt key",
       {{"tpye", "cloud_ssd"}},
       "no parameter tpye of a StorageClass of csi-disk; there are: type"},
      {"a type that there is not", {{"type", "cloud_sdd"}}, "has the type cloud_sdd, which there is not"},
      {"available in a list", {{"type", "cloud_ssd,available"}}, "stands alone"},
      {"a level that there is not", {{"performanceLevel", "PL4"}}, "must be PL0, PL1, PL2 or PL3"},
      {"ntfs", {{"fsType", "ntfs"}}, "must be ext4, ext3, xfs or vfat"},
      {"ntfs of Kubernetes", {{"csi.storage.k8s.io/fstype", "ntfs"}}, "must be ext4"},
      {"a data cache", {{"dataCacheSize", "100Gi"}}, "is not supported"},
      {"its mode", {{"dataCacheMode", "writeback"}}, "is not supported"},
      {"no days", {{"volumeDeleteSnapshotRetentionDays", "0"}}, "no number from 1 to 65536"},
      {"too many days", {{"volumeDeleteSnapshotRetentionDays", "65537"}}, "no number from 1 to 65536"},
      {"days in words", {{"volumeDeleteSnapshotRetentionDays", "7d"}}, "no number from"},
      {"iops below none", {{"provisionedIops", "-1"}}, "no number from"},
      {"a storage cluster alone", {{"storageClusterId", "dbsc-1"}}, "needs a performanceLevel"},
      {"a key that nothing is encrypted with", {{"kmsKeyId", "key-1"}}, "needs encrypted"},
      {"a tag without a value", {{"diskTags", "a"}}, "is no key:value"},
      {"a tag without a key", {{"diskTags", ":b"}}, "without a key"},
      {"a tag of the driver", {{"diskTags/csi.fs", "new"}}, "the driver's own"},
      {"a tag of the cloud", {{"diskTags", "Aliyun-x:1"}}, "a cloud's own"},
      {"a tag with an address", {{"diskTags", "a:http://b"}}, "holds an address"},
      {"a tag twice", {{"diskTags", "a:1"}, {"diskTags/a", "2"}}, "is told twice"},
      {"a tag too long", {{"diskTags/" + std::string(128, 'k'), "v"}}, "longer than a cloud's tag"},
      {"too many tags", many, "one too many"},
      {"a key in two spellings", {{"zoneId", "a"}, {"zoneid", "b"}}, "is told twice"},
      {"disks that are paid beforehand", {{"chargeType", "PREPAID"}}, "POSTPAID_BY_HOUR"},
  };
  for (const Case& each : cases) {
    DYNAMIC_SECTION(each.name) {
      const Result<DiskClass> out = parse_disk_class(each.given, cloud("alibaba"));
      REQUIRE_FALSE(out.has_value());
      CHECK(out.error().code == Code::kInvalidArgument);
      CHECK_THAT(out.error().message, Catch::Contains(each.told));
    }
  }
}

TEST_CASE("each cloud's own words are understood", "[disk class]") {
  const DiskClass cbs = parsed({{"diskType", "CLOUD_SSD"},
                                {"diskZone", "ap-guangzhou-3"},
                                {"encrypt", "ENCRYPT"},
                                {"diskChargeType", "POSTPAID_BY_HOUR"}},
                               "cbs");
  CHECK(cbs.types == Words{"CLOUD_SSD"});
  CHECK(cbs.zones == Words{"ap-guangzhou-3"});
  CHECK(cbs.encrypted);
  const DiskClass eck = parsed({{"diskType", "cloud"}, {"regionId", "zj-shaoxing-2"}}, "eck");
  CHECK(eck.types == Words{"cloud"});
  CHECK(eck.zones == Words{"zj-shaoxing-2"});
  CHECK(parsed({}, "eck").types == Words{""});
  CHECK(known_cloud("cbs").has_value());
  const Result<DiskCloud> none = known_cloud("azure");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().message == "there is no profile 'azure'; there are: alibaba ens eck cbs sim");
}

TEST_CASE("what the node would refuse makes no disk", "[disk class]") {
  struct Case {
    const char* name;
    Parameters given;
    const char* told;
  };
  const Case cases[] = {
      {"a device in mkfsOptions",
       {{"mkfsOptions", "-F /dev/sda"}},
       "the parameter mkfsOptions: '-F /dev/sda'"},
      {"an option of another file system",
       {{"fsType", "xfs"}, {"mkfsOptions", "-O project"}},
       "the parameter mkfsOptions"},
      {"a path in sysConfig", {{"sysConfig", "/../../x=1"}}, "the parameter sysConfig: '/../../x=1'"},
      {"what is not of the queue's speed", {{"sysConfig", "/queue/write_cache=none"}}, "read_ahead_kb"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Status out = check_for_node(parsed(c.given).for_node);
      REQUIRE_FALSE(out.has_value());
      CHECK(out.error().code == Code::kInvalidArgument);
      CHECK_THAT(out.error().message, Catch::Contains(c.told));
    }
  }
  CHECK(check_for_node({}));
  CHECK(check_for_node({{"mkfsOptions", "-O project,quota"}, {"sysConfig", "/queue/read_ahead_kb=4096"}}));
}

TEST_CASE("what backends alone know the meaning of is handed to them", "[disk class]") {
  const DiskClass out =
      parsed({{"restrictToHpnZone", "yes"}, {"alibabacloud.com/createdisk-arn", "acs:ram::1:role/r"}});
  CHECK(out.hpn_zone);
  CHECK(out.role == "acs:ram::1:role/r");
  CHECK_FALSE(parsed({{"restrictToHpnZone", "perhaps"}}).hpn_zone);
}

TEST_CASE("a class's disks are tried by type, then by level, where the size is sold", "[disk class]") {
  const DiskClass wanted =
      parsed({{"type", "cloud_essd,cloud_ssd,cloud_auto"}, {"performanceLevel", "PL2,PL1,PL0"}});
  using Choices = std::vector<DiskChoice>;
  const auto choices = [&](std::uint64_t gib) {
    return choices_of(wanted, cloud("alibaba"), {.required_bytes = gib * kGiB}).value();
  };
  CHECK(choices(500) == Choices{{"cloud_essd", "PL2", 500},
                                {"cloud_essd", "PL1", 500},
                                {"cloud_essd", "PL0", 500},
                                {"cloud_ssd", "", 500},
                                {"cloud_auto", "", 500}});
  CHECK(choices(10) == Choices{{"cloud_essd", "PL0", 10}, {"cloud_auto", "", 10}});
  const Result<std::vector<DiskChoice>> none =
      choices_of(wanted, cloud("alibaba"), {.required_bytes = 40000 * kGiB});
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == Code::kOutOfRange);
}

TEST_CASE("a VolumeAttributesClass changes what can be changed, and nothing else", "[disk class]") {
  const DiskChange change = parse_disk_change({{"type", "cloud_auto"},
                                               {"provisionedIops", "5000"},
                                               {"burstingEnabled", "no"},
                                               {"diskTags/Team", "b"},
                                               {"-diskTags/Old", ""},
                                               {"csi.storage.k8s.io/pv/name", "pvc-1"}},
                                              cloud("alibaba"))
                                .value();
  CHECK(change.performance == Performance{.type = "cloud_auto", .iops = 5000, .bursting = false});
  CHECK(change.set == Tags{{"Team", "b"}});
  CHECK(change.unset == Words{"Old"});
  for (const Parameters& refused : {Parameters{{"zoneId", "a"}},
                                    {{"encrypted", "true"}},
                                    {{"performanceLevel", "PL1,PL2"}},
                                    {{"type", "cloud_ssd,cloud_essd"}},
                                    {{"diskTags", "a:b"}},
                                    {{"diskTags/", "b"}},
                                    {{"diskTags/csi.fs", "new"}},
                                    {{"-diskTags/csi.state", ""}},
                                    {{"diskTags/a", "1"}, {"-diskTags/a", ""}},
                                    {{"provisionedIops", "many"}}}) {
    const Result<DiskChange> out = parse_disk_change(refused, cloud("alibaba"));
    INFO(refused.begin()->first);
    REQUIRE_FALSE(out.has_value());
    CHECK(out.error().code == Code::kInvalidArgument);
  }
  CHECK_FALSE(parse_disk_change({{"diskZone", "a"}}, cloud("cbs")).has_value());
  CHECK(parse_disk_change({{"diskType", "CLOUD_SSD"}}, cloud("cbs"))->performance.type == "CLOUD_SSD");
}

TEST_CASE("a disk is changed to what its size allows", "[disk class]") {
  const Disk disk{.id = "d-1", .gib = 100, .performance = {.type = "cloud_essd", .level = "PL1"}};
  const auto allowed = [&](Performance to) {
    const Status checked = check_change({.performance = std::move(to)}, disk, cloud("alibaba"));
    return checked ? "" : checked.error().message;
  };
  CHECK(allowed({.level = "PL0"}).empty());
  CHECK(allowed({.type = "cloud_auto"}).empty());
  CHECK(allowed({.type = "cloud_auto", .iops = 5000, .bursting = true}).empty());
  CHECK(allowed({.bursting = false}).empty());
  CHECK_THAT(allowed({.bursting = true}), Catch::Contains("burstingEnabled"));
  CHECK_THAT(allowed({.iops = 5000}), Catch::Contains("provisionedIops"));
  CHECK_THAT(allowed({.type = "cloud_ssd", .bursting = true}), Catch::Contains("cloud_ssd, has none"));
  CHECK_THAT(allowed({.level = "PL2"}), Catch::Contains("461"));
  CHECK_THAT(allowed({.type = "cloud_ssd", .level = "PL1"}), Catch::Contains("has none"));
}

TEST_CASE("a VolumeSnapshotClass says how long snapshots are kept and what they bear", "[disk class]") {
  const SnapshotClass out = parse_snapshot_class({{"retentionDays", "30"},
                                                  {"resourceGroupId", "rg-1"},
                                                  {"snapshotTags/Team", "a"},
                                                  {"snapshotType", "standard"},
                                                  {"instantAccessRetentionDays", "3"},
                                                  {"csi.storage.k8s.io/volumesnapshot/name", "s"}})
                                .value();
  CHECK(out.keep_days == 30);
  CHECK(out.resource_group == "rg-1");
  CHECK(out.tags == Tags{{"Team", "a"}});
  CHECK_FALSE(parse_snapshot_class({}).value().keep_days.has_value());
  CHECK_FALSE(parse_snapshot_class({{"retentionDays", "0"}}).has_value());
  CHECK_FALSE(parse_snapshot_class({{"retention", "3"}}).has_value());
  CHECK_FALSE(parse_snapshot_class({{"snapshotTags/csi.name", "3"}}).has_value());
}

}  // namespace
}  // namespace holdfast::disk
