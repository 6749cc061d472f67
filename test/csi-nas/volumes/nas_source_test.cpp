#include "csi-nas/volumes/nas_source.h"

#include <sys/mount.h>

#include <set>

#include "csi-nas/volumes/share_path.h"
#include "test/catch.h"

namespace holdfast::nas {
namespace {

using Entries = std::vector<std::string>;

NasSource parsed(const NasAttributes& attributes, const Entries& options = {}, const char* id = "pv-nas") {
  const auto source = parse_source(attributes, options, id);
  if (!source) FAIL(source.error().message);
  return *source;
}

std::string options_of(const NasSource& source) {
  return "vers=" + source.options.vers + " " + source.options.text();
}

const std::string kUsual3 = "vers=3 nolock,noresvport,retrans=2,rsize=1048576,timeo=600,wsize=1048576";

TEST_CASE("attributes of PersistentVolumes in the field are understood", "[nas]") {
  struct Case {
    const char* name;
    NasAttributes attributes;
    Entries mount_options;
    const char* source;
    std::string options;
  };
  const Case cases[] = {
      {"as the guide has it",
       {{"server", "2564f4-ysu87.cn-shenzhen.nas.aliyuncs.com"}, {"path", "/csi"}},
       {"nolock,tcp,noresvport", "vers=3"},
       "2564f4-ysu87.cn-shenzhen.nas.aliyuncs.com:/csi",
       "vers=3 nolock,noresvport"},
      {"without any option", {{"server", "nas"}, {"path", "/csi/"}}, {}, "nas:/csi", kUsual3},
      {"no path is the root", {{"server", "nas"}}, {}, "nas:/", kUsual3},
      {"keys in any case",
       {{"SERVER", "nas"}, {"Path", "//csi/./a"}, {"VERS", "4"}},
       {},
       "nas:/csi/a",
       "vers=4.0 noresvport"},
      {"the older name of the path", {{"server", "nas"}, {"mountpath", "/m"}}, {}, "nas:/m", kUsual3},
      {"a server with its path", {{"server", "nas:/exports/a"}}, {}, "nas:/exports/a", kUsual3},
      {"the path wins over the server's",
       {{"server", "nas:/exports"}, {"path", "/p"}},
       {},
       "nas:/p",
       kUsual3},
      {"options of the attributes",
       {{"server", "nas"}, {"vers", "3.0"}, {"options", "soft,nolock,timeo=50"}},
       {},
       "nas:/",
       "vers=3 nolock,soft,timeo=50"},
      {"none clears the defaults", {{"server", "nas"}, {"options", "NONE"}}, {}, "nas:/", "vers=3 "},
      {"mountOptions win",
       {{"server", "nas"}, {"vers", "3"}, {"options", "soft"}},
       {"vers=4.1,noresvport"},
       "nas:/",
       "vers=4.1 noresvport"},
      {"a version alone leaves the options",
       {{"server", "nas"}, {"options", "soft"}},
       {"nfsvers=4.2"},
       "nas:/",
       "vers=4.2 soft"},
      {"a version alone leaves the defaults",
       {{"server", "nas"}},
       {"vers=4", "minorversion=1"},
       "nas:/",
       "vers=4.1 noresvport"},
      {"a word that holds anyhow stands for itself", {{"server", "nas"}}, {"lock"}, "nas:/", "vers=3 "},
      {"CFS",
       {{"host", "10.0.0.112"}, {"path", "/sub"}, {"fsid", "z3r6k95r"}},
       {},
       "10.0.0.112:/sub",
       "vers=4.0 noresvport"},
      {"CFS by version 3",
       {{"host", "10.0.0.112"}, {"path", "/sub"}, {"vers", "3"}, {"fsid", "z3r6k95r"}, {"options", "soft"}},
       {},
       "10.0.0.112:/z3r6k95r/sub",
       "vers=3 nolock,soft"},
      {"as csi-driver-nfs has it",
       {{"server", "nas"}, {"share", "/exports"}, {"subDir", "a/b"}},
       {},
       "nas:/exports/a/b",
       "vers=4.1 noresvport"},
      {"an address of IPv6", {{"server", "fd00::5"}, {"path", "/p"}}, {}, "[fd00::5]:/p", kUsual3},
      {"an address of IPv6 with a path", {{"server", "[fd00::5]:/p"}}, {}, "[fd00::5]:/p", kUsual3},
      {"an address with its interface", {{"server", "fe80::5%eth0"}}, {}, "[fe80::5%eth0]:/", kUsual3},
      {"extreme NAS",
       {{"server", "a.cn-x.extreme.nas.aliyuncs.com"}, {"path", "/share/p"}, {"options", "noresvport"}},
       {},
       "a.cn-x.extreme.nas.aliyuncs.com:/share/p",
       "vers=3 nolock,noresvport"},
      {"what provisioners and mount(8) add",
       {{"server", "nas"}, {"csi.storage.k8s.io/pv/name", "x"}, {"mountProtocol", "nfs"}},
       {"_netdev,bg,retry=2,proto=tcp"},
       "nas:/",
       "vers=3 "},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const NasSource source = parsed(c.attributes, c.mount_options);
      REQUIRE(source.shares.size() == 1);
      CHECK(source.shares.front().source() == c.source);
      CHECK(options_of(source) == c.options);
      CHECK(source.subdirectory.empty());
    }
  }
}

TEST_CASE("a list of servers is kept in its order", "[nas]") {
  const NasSource source = parsed({{"server", "a:/x, b:/y,[fd00::1]:/z,c"}});
  Entries found;
  for (const NasShare& share : source.shares) found.push_back(share.source());
  CHECK(found == Entries{"a:/x", "b:/y", "[fd00::1]:/z", "c:/"});
}

TEST_CASE("a volume of its own directory is mounted from its share", "[nas]") {
  const NasSource source =
      parsed({{"server", "nas"}, {"path", "/exports/team/pvc-1"}}, {}, "nas1#nas#/exports#team#pvc-1");
  CHECK(source.shares.front().source() == "nas:/exports");
  CHECK(source.subdirectory == "team/pvc-1");
}

TEST_CASE("the mode of a volume's directory is read as octal", "[nas]") {
  const NasSource source =
      parsed({{"server", "nas"}, {"path", "/a"}, {"mode", "0755"}, {"modeType", "Non-Recursive"}});
  CHECK(source.mode == 0755);
  CHECK(parsed({{"server", "nas"}, {"path", "/a"}, {"mode", "04755"}}).mode == 04755);
  CHECK_FALSE(parsed({{"server", "nas"}, {"path", "/a"}, {"modeType", "non-recursive"}}).mode.has_value());
}

TEST_CASE("attributes that would hurt are refused, and the message names them", "[nas]") {
  struct Case {
    const char* name;
    NasAttributes attributes;
    Entries mount_options;
    const char* said;
  };
  const Case cases[] = {
      {"no server", {{"path", "/a"}}, {}, "the attribute server is missing"},
      {"a key twice", {{"Server", "a"}, {"server", "b"}}, {}, "the attribute server is told twice"},
      {"the root of one server in a list",
       {{"server", "a:/x,b:/"}, {"mode", "755"}},
       {},
       "cannot be set on the root"},
      {"an empty server", {{"server", " "}}, {}, "the attribute server is missing"},
      {"an option as a server", {{"server", "-o"}}, {}, "the attribute server '-o'"},
      {"a server with an option behind it",
       {{"server", "nas,rw"}, {"path", "/a"}, {"mode", "9"}},
       {},
       "mode '9'"},
      {"a server with a blank", {{"server", "a b"}}, {}, "is not a server"},
      {"half an address", {{"server", "[fd00::5"}}, {}, "is not a server"},
      {"too many servers", {{"server", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}}, {}, "more than 16"},
      {"a relative path", {{"server", "nas"}, {"path", "a"}}, {}, "does not begin with '/'"},
      {"a path that leads up", {{"server", "nas"}, {"path", "/a/../b"}}, {}, "holds '..'"},
      {"a path of two lines",
       {{"server", "nas"}, {"path", "/a\nb"}},
       {},
       "the path '/a\\x0ab' holds a control"},
      {"a path with NUL", {{"server", "nas"}, {"path", std::string("/a\0b", 4)}}, {}, "control character"},
      {"a long name", {{"server", "nas"}, {"path", "/" + std::string(256, 'a')}}, {}, "more than 255 bytes"},
      {"a sub-directory that leads up",
       {{"server", "nas"}, {"share", "/a"}, {"subDir", "../b"}},
       {},
       "holds '..'"},
      {"a version that is none", {{"server", "nas"}, {"vers", "5"}}, {}, "version '5' is none of"},
      {"a minor version that is none", {{"server", "nas"}}, {"minorversion=7"}, "minorversion=7"},
      {"an option of another kind",
       {{"server", "nas"}, {"options", "usrquota"}},
       {},
       "'usrquota' is not allowed"},
      {"another address",
       {{"server", "nas"}, {"options", "addr=10.0.0.1"}},
       {},
       "'addr=10.0.0.1' is not allowed"},
      {"a bind", {{"server", "nas"}}, {"bind"}, "'bind' is not allowed"},
      {"a remount", {{"server", "nas"}}, {"rw,remount"}, "'remount' is not allowed"},
      {"an option with a line break", {{"server", "nas"}}, {"soft\nbind"}, "soft\\x0abind"},
      {"a number that is none", {{"server", "nas"}}, {"timeo=5s"}, "'timeo=5s' needs a number"},
      {"a number that is not told", {{"server", "nas"}}, {"retrans="}, "'retrans=' needs a number"},
      {"a number below its least", {{"server", "nas"}}, {"timeo=0"}, "'timeo=0' must be 1..2147483647"},
      {"a number above its most", {{"server", "nas"}}, {"nconnect=17"}, "'nconnect=17' must be 1..16"},
      {"a number of 33 bits", {{"server", "nas"}}, {"rsize=4294967296"}, "must be 0..4294967295"},
      {"more than an int", {{"server", "nas"}}, {"retrans=4294967295"}, "must be 0..2147483647"},
      {"no port of a mountd", {{"server", "nas"}}, {"mountport=65536"}, "must be 0..65535"},
      {"no version of a mountd", {{"server", "nas"}}, {"mountvers=9"}, "'mountvers=9' must be 1..3"},
      {"a choice that is none", {{"server", "nas"}}, {"sec=ntlm"}, "must be one of sys none krb5"},
      {"a transport by which nobody asks", {{"server", "nas"}}, {"udp"}, "'udp' is not allowed"},
      {"a transport, in other words", {{"server", "nas"}}, {"proto=rdma"}, "only TCP"},
      {"a port that is none", {{"server", "nas"}}, {"port=70000"}, "'port=70000' must be 1..65535"},
      {"a mode that is none", {{"server", "nas"}, {"path", "/a"}, {"mode", "rwx"}}, {}, "mode 'rwx'"},
      {"the mode of a root", {{"server", "nas"}, {"mode", "755"}}, {}, "name a path"},
      {"a kind of mode that is none", {{"server", "nas"}, {"modeType", "deep"}}, {}, "modetype 'deep'"},
      {"the mode of all files",
       {{"server", "nas"}, {"path", "/a"}, {"mode", "755"}, {"modeType", "recursive"}},
       {},
       "not supported"},
      {"another protocol", {{"server", "nas"}, {"mountProtocol", "efc"}}, {}, "only nfs is"},
      {"another kind of mount", {{"server", "nas"}, {"mountType", "losetup"}}, {}, "mounttype 'losetup'"},
      {"extreme NAS by version 4",
       {{"server", "a.extreme.nas.aliyuncs.com"}, {"path", "/share"}, {"vers", "4.1"}},
       {},
       "use vers 3"},
      {"extreme NAS outside of /share",
       {{"server", "a.extreme.nas.aliyuncs.com"}, {"path", "/shares"}},
       {},
       "not below /share"},
      {"a file system's number that leads up",
       {{"host", "a"}, {"vers", "3"}, {"fsid", ".."}},
       {},
       "holds '..'"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto source = parse_source(c.attributes, c.mount_options, "pv");
      REQUIRE_FALSE(source.has_value());
      CHECK(source.error().code == Code::kInvalidArgument);
      INFO(source.error().message);
      CHECK(source.error().message.find(c.said) != std::string::npos);
    }
  }
}

TEST_CASE("volumes share a mount when their options come to the same, and only then", "[nas]") {
  const NasAttributes here{{"server", "nas"}, {"path", "/a"}};
  const auto hash = [](const NasAttributes& attributes, const Entries& options) {
    return parsed(attributes, options).key_hash();
  };
  const std::string one = hash(here, {"nolock,tcp,noresvport", "vers=3"});
  CHECK(one.size() == 32);
  CHECK(hash(here, {"vers=3.0", "noresvport", "lock,nolock,hard,proto=tcp"}) == one);
  CHECK(hash({{"SERVER", "nas:/a/"}}, {"nolock,noresvport,vers=3"}) == one);
  const std::set<std::string> others{one,
                                     hash(here, {"nolock,noresvport,vers=4.1"}),
                                     hash(here, {"nolock,vers=3"}),
                                     hash(here, {"nolock,noresvport,vers=3,ro"}),
                                     hash(here, {"nolock,noresvport,vers=3,port=2050"}),
                                     hash(here, {"nolock,noresvport,vers=3,sec=krb5"}),
                                     hash({{"server", "nas2"}, {"path", "/a"}}, {"nolock,noresvport,vers=3"}),
                                     hash({{"server", "nas"}, {"path", "/b"}}, {"nolock,noresvport,vers=3"})};
  CHECK(others.size() == 8);
}

TEST_CASE("the kernel is told what the options mean", "[nas]") {
  const Entries words{"ro,noatime,nolock,port=2050,vers=4.2,nconnect=4"};
  const NasOptions options = parse_nas_options(words).value();
  const mount::MountOptions ip4 = kernel_options(options, "10.0.0.5");
  CHECK(ip4.flags == (MS_RDONLY | MS_NOATIME));
  CHECK(ip4.data == "vers=4.2,addr=10.0.0.5,port=2050,proto=tcp,nconnect=4,nolock");
  CHECK(kernel_options(options, "fd00::5").data.find(",proto=tcp6,") != std::string::npos);
}

}  // namespace
}  // namespace holdfast::nas
