#include "csi-lvm/volumes/parameters.h"

#include "test/catch.h"

namespace holdfast::lvm {
namespace {

using Given = std::map<std::string, std::string>;

Given with(Given more) {
  more.emplace("vgName", "volumegroup1");
  return more;
}

TEST_CASE("a class that names only its group makes linear ext4 volumes", "[lvm parameters]") {
  const Parameters parameters = parse_parameters(with({}), false).value();
  CHECK(parameters.group == "volumegroup1");
  CHECK(parameters.stripes == 1);
  CHECK(parameters.pool.empty());
  CHECK(parameters.fs_type == "ext4");
  CHECK(parameters.wipe == Wipe::kNone);
  CHECK(parse_parameters(with({}), true)->wipe == Wipe::kDiscard);
}

TEST_CASE("the class that clusters of today have is taken as it stands", "[lvm parameters]") {
  const Parameters parameters = parse_parameters({{"volumeType", "LVM"},
                                                  {"vgName", "volumegroup1"},
                                                  {"fsType", "ext4"},
                                                  {"lvmType", "striping"},
                                                  {"pvType", "clouddisk"},
                                                  {"nodeAffinity", "true"},
                                                  {"csi.storage.k8s.io/pv/name", "pvc-1"},
                                                  {"csi.storage.k8s.io/pvc/namespace", "default"}},
                                                 false)
                                    .value();
  CHECK(parameters.stripes == 0);
}

TEST_CASE("each parameter has its effect", "[lvm parameters]") {
  const Parameters striped =
      parse_parameters(with({{"stripes", "3"}, {"lvmType", "striping"}, {"stripeSize", "128Ki"}}), false)
          .value();
  CHECK(striped.stripes == 3);
  CHECK(striped.stripe_bytes == 131072);
  const Parameters thin =
      parse_parameters(with({{"thinPool", "pool0"}, {"thinProvision", "Yes"}}), false).value();
  CHECK(thin.pool == "pool0");
  CHECK(thin.pool_bytes == 0);
  CHECK(parse_parameters(with({{"thinPool", "pool0"}, {"thinPoolSize", "10Gi"}}), false)->pool_bytes ==
        std::uint64_t{10} << 30);
  const Parameters more = parse_parameters(with({{"csi.storage.k8s.io/fstype", "xfs"},
                                                 {"mkfsOptions", " -K  -m bigtime=0 "},
                                                 {"encrypted", "True"},
                                                 {"lvTags", "team=a, site/7"},
                                                 {"wipeOnDelete", "zero"}}),
                                           true)
                              .value();
  CHECK(more.fs_type == "xfs");
  CHECK(more.mkfs_options == std::vector<std::string>{"-K", "-m", "bigtime=0"});
  CHECK(more.tags == std::vector<std::string>{"team=a", "site/7"});
  CHECK(more.wipe == Wipe::kZero);
  CHECK(more.encrypted);
  CHECK_FALSE(striped.encrypted);
}

TEST_CASE("a parameter that cannot be honoured is refused by its name and value", "[lvm parameters]") {
  struct Case {
    Given given;
    const char* told;
  };
  const Case cases[] = {
      {{}, "vgName is missing"},
      {{{"vgName", "a/b"}}, "a/b"},
      {with({{"vgname", "x"}}), "there is no parameter vgname"},
      {with({{"volumeType", "QuotaPath"}}), "'QuotaPath' is not supported"},
      {with({{"lvmType", "mirror"}}), "'mirror' must be linear or striping"},
      {with({{"stripes", "0"}}), "stripes: '0' is no number from 1 to 128"},
      {with({{"stripes", "2x"}}), "'2x'"},
      {with({{"stripes", "129"}}), "'129'"},
      {with({{"stripeSize", "5Ki"}}), "'5Ki' must be a power of two"},
      {with({{"stripeSize", "2Ki"}}), "'2Ki' must be"},
      {with({{"stripeSize", "4Pi"}}), "'4Pi' must be a power of two from 4Ki to 1Gi"},
      {with({{"lvTags", "a,b,c,d,e,f,g,h,i"}}), "lvTags: has 9 tags, and there may be 8"},
      {with({{"thinProvision", "true"}}), "thinProvision needs thinPool"},
      {with({{"thinPoolSize", "1Gi"}}), "thinPoolSize needs thinPool"},
      {with({{"thinPool", "pool0"}, {"thinPoolSize", "0"}}), "thinPoolSize: '0' leaves a pool no room"},
      {with({{"thinPool", "p"}, {"lvmType", "striping"}}), "no stripes of its own"},
      {with({{"thinPool", "p q"}}), "p q"},
      {with({{"fsType", "ntfs"}}), "'ntfs' must be ext4, ext3 or xfs"},
      {with({{"lvTags", "a,b c"}}), "b c"},
      {with({{"lvTags", "csi.state=ready"}}), "the driver's own"},
      {with({{"wipeOnDelete", "shred"}}), "'shred' must be none, discard or zero"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.told) {
      const auto parsed = parse_parameters(c.given, false);
      REQUIRE_FALSE(parsed.has_value());
      CHECK(parsed.error().code == Code::kInvalidArgument);
      CHECK(parsed.error().message.find(c.told) != std::string::npos);
    }
  }
}

TEST_CASE("what mkfs may not be told is refused for the file system that is made", "[lvm parameters]") {
  const auto made = [](const char* fs_type, const char* options) {
    return check_mkfs(parse_parameters(with({{"fsType", fs_type}, {"mkfsOptions", options}}), false).value());
  };
  CHECK(made("ext4", "-m 0 -O ^metadata_csum").has_value());
  CHECK(made("xfs", "-i size=512").has_value());
  CHECK(made("ext4", "-i size=512").error().code == Code::kInvalidArgument);
  CHECK(made("ext4", "-d /etc").error().message.find("mkfsOptions: '-d' is not allowed for ext4") !=
        std::string::npos);
}

TEST_CASE("a snapshot's room is a size or a share of the volume", "[lvm parameters]") {
  CHECK(parse_snapshot_parameters({})->percent == 20);
  CHECK(parse_snapshot_parameters({{"snapshotSize", "35%"}})->percent == 35);
  CHECK(parse_snapshot_parameters({{"snapshotSize", "1Gi"}, {"csi.storage.k8s.io/x", "y"}})->bytes ==
        1 << 30);
  for (const char* wrong : {"0%", "101%", "0", "", "x%", "1.5Gi"}) {
    CHECK_FALSE(parse_snapshot_parameters({{"snapshotSize", wrong}}).has_value());
  }
  CHECK_FALSE(parse_snapshot_parameters({{"snapshotsize", "1Gi"}}).has_value());
}

TEST_CASE("sizes are read as Kubernetes writes them", "[lvm parameters]") {
  CHECK(parse_bytes("50Mi") == 52428800);
  CHECK(parse_bytes("512") == 512);
  CHECK(parse_bytes("1G") == 1000000000);
  CHECK(parse_bytes("8Ei").has_value() == false);
  for (const char* wrong : {"", "Mi", "1.5Gi", "-1", "1 Gi", "1gi", "9223372036854775808", "9000000Ti"}) {
    CHECK_FALSE(parse_bytes(wrong).has_value());
  }
}

}  // namespace
}  // namespace holdfast::lvm
