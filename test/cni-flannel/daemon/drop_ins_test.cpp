#include "cni-flannel/daemon/drop_ins.h"

#include <fstream>
#include <sstream>

#include "cni-flannel/daemon/vxlan_device.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

struct Host {
  holdfast::test::TemporaryFolder folder;
  fs::path run = folder.path();
  PosixFiles files;
  std::vector<DropIn> wanted = drop_ins(run, {"flannel.1", "flannel-v6.1", "cni0"});
  fs::path link = run / "systemd/network/10-flanneld.link";
  fs::path network = run / "systemd/network/10-flanneld.network";
  fs::path manager = run / "NetworkManager/conf.d/10-flanneld.conf";

  void run_daemon(const char* what_it_makes) {
    fs::create_directories((run / what_it_makes).parent_path());
    std::ofstream(run / what_it_makes) << "\n";
  }
};

TEST_CASE_METHOD(Host, "Each daemon that is in use is told to leave our links alone, and no other",
                 "[flanneld]") {
  CHECK(put_drop_ins(files, wanted).changed.empty());
  CHECK(fs::is_empty(run));
  // as a DaemonSet's mounts make them
  for (const char* folder : {"udev", "systemd/netif", "systemd/network", "NetworkManager"}) {
    fs::create_directories(run / folder);
  }
  CHECK(put_drop_ins(files, wanted).changed.empty());
  CHECK(fs::is_empty(run / "systemd/network"));
  CHECK(fs::is_empty(run / "NetworkManager"));

  run_daemon("udev/control");
  CHECK(put_drop_ins(files, wanted).changed.size() == 1);
  CHECK(content_of(link) == std::string(kDropInMark) +
                                "[Match]\nOriginalName=flannel.1 flannel-v6.1 cni0 cni0.* veth??????????? "
                                "veth????????\n\n"
                                "[Link]\nNamePolicy=keep\nMACAddressPolicy=none\n");
  CHECK((fs::status(link).permissions() & fs::perms::others_read) != fs::perms::none);

  run_daemon("systemd/netif/state");
  run_daemon("NetworkManager/devices");
  CHECK(put_drop_ins(files, wanted).changed.size() == 2);
  CHECK(content_of(network) ==
        std::string(kDropInMark) +
            "[Match]\nName=flannel.1 flannel-v6.1 cni0 cni0.* veth??????????? veth????????\n\n"
            "[Link]\nUnmanaged=yes\n");
  CHECK(content_of(manager) ==
        std::string(kDropInMark) +
            "[keyfile]\nunmanaged-devices+=interface-name:flannel.1;interface-name:flannel-v6.1;"
            "interface-name:cni0;interface-name:cni0.*;interface-name:veth???????????;"
            "interface-name:veth????????\n");
  // once is enough: the daemons are not disturbed again
  const DropInNews again = put_drop_ins(files, wanted);
  CHECK(again.changed.empty());
  CHECK(again.notes.empty());
}

TEST_CASE_METHOD(Host, "Files of an operator's are neither replaced nor taken away, ours are", "[flanneld]") {
  run_daemon("udev/control");
  run_daemon("systemd/netif/state");
  fs::create_directories(run / "systemd/network");
  std::ofstream(link) << "# mine\n";
  fs::create_symlink("/dev/null", network);
  const DropInNews news = put_drop_ins(files, wanted);
  CHECK(news.changed.empty());
  REQUIRE(news.notes.size() == 2);
  CHECK_THAT(news.notes[0], Catch::Contains("10-flanneld.link is not ours and is left as it is"));
  CHECK(content_of(link) == "# mine\n");
  CHECK(fs::read_symlink(network) == "/dev/null");
  CHECK(remove_drop_ins(files, wanted).changed.empty());
  CHECK(fs::exists(link));

  fs::remove(link);
  fs::remove(network);
  CHECK(put_drop_ins(files, wanted).changed.size() == 2);
  // of an earlier version or VNI
  CHECK(put_drop_ins(files, drop_ins(run, {"flannel.7"})).changed.size() == 2);
  CHECK_THAT(content_of(link), Catch::Contains("OriginalName=flannel.7 cni0.* "));
  CHECK(remove_drop_ins(files, wanted).changed.size() == 2);
  CHECK_FALSE(fs::exists(link));
  CHECK(remove_drop_ins(files, wanted).changed.empty());
}

std::string without_remarks(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("#")) out += line + "\n";
  }
  return out;
}

TEST_CASE("The package's files say of VNI 1 what flanneld writes", "[flanneld]") {
  const fs::path packaged = HOLDFAST_PACKAGING "/node";
  const std::vector<DropIn> written = drop_ins("/run", overlay_links(1));
  const std::vector<std::string> names{"flanneld.link", "flanneld.network", "flanneld.NetworkManager.conf"};
  REQUIRE(written.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    INFO(names[i]);
    CHECK(without_remarks(content_of(packaged / names[i])) == without_remarks(written[i].content));
  }
}

/// Tells what was run, and fails.
class Recorder final : public Executor {
 public:
  Result<CommandResult> run(const Command& command) override {
    ran.push_back(command);
    CommandResult out;
    out.exit_status = 1;
    out.errors = "no bus";
    return out;
  }
  std::vector<Command> ran;
};

TEST_CASE("A daemon that looks by itself is not called, one that cannot be reached is told of",
          "[flanneld]") {
  Recorder recorder;
  CHECK(reload_daemons(recorder, {{"", "", "", {}}, {"", "", "", {"no-such-program", "reload"}}}).empty());
  CHECK(recorder.ran.empty());
  const auto failed = reload_daemons(recorder, {{"", "", "", {"true", "reload"}}});
  REQUIRE(recorder.ran.size() == 1);
  CHECK_THAT(recorder.ran[0].argv[0], Catch::EndsWith("/true"));
  CHECK(recorder.ran[0].argv[1] == "reload");
  CHECK(recorder.ran[0].deadline == std::chrono::seconds(2));
  CHECK(failed == std::vector<std::string>{"true reload failed: no bus"});
}

}  // namespace
}  // namespace holdfast::flannel
