#include "cni-flannel/plugin/delegate_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"
#include "test/fakes/recording_files.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

cni::JsonPart json(const std::string& text) { return cni::parse_document(text, "test").value(); }

/// A store in a folder of its own, with a look at what is on disk.
struct StoreTest {
  test::TemporaryFolder folder;
  PosixFiles files;
  std::filesystem::path data_dir = folder / "flannel";
  DelegateStore store{files, data_dir};

  void save(const char* id, const char* ifname, const std::string& conf) {
    REQUIRE(store.save(id, ifname, json(conf), Durability::kLazy).has_value());
  }
  void write(const char* name, const std::string& text) const {
    std::filesystem::create_directories(data_dir);
    std::ofstream(data_dir / name) << text;
  }
  std::string loaded(const char* id, const char* ifname) {
    const auto saved = store.load(id, ifname);
    REQUIRE(saved.has_value());
    return saved->has_value() ? cni::to_text((*saved)->conf) : "nothing";
  }
  void remove(const char* id, const char* ifname) {
    const auto saved = store.load(id, ifname);
    REQUIRE(saved.has_value());
    if (saved->has_value()) REQUIRE(store.remove(**saved, Durability::kLazy).has_value());
  }
  std::vector<std::string> names() {
    auto found = files.list(data_dir).value();
    std::sort(found.begin(), found.end());
    return found;
  }
};

using Names = std::vector<std::string>;

TEST_CASE_METHOD(StoreTest, "a saved delegate is found again under upstream's name, and once", "[flannel]") {
  save("c1", "eth0", R"({"type":"bridge"})");
  CHECK(names() == Names{"c1"});
  CHECK(loaded("c1", "eth0") == R"({"type":"bridge"})");
  CHECK(test::fixture("../" + std::filesystem::relative(data_dir / "c1", HOLDFAST_FIXTURES "/..").string()) ==
        R"({"holdfast":{"ifname":"eth0"},"type":"bridge"})");
  remove("c1", "eth0");
  CHECK(names().empty());
  CHECK(loaded("c1", "eth0") == "nothing");
}

TEST_CASE_METHOD(StoreTest, "the folder is for root alone, and so are the files", "[flannel]") {
  save("c1", "eth0", "{}");
  struct stat folder_now {};
  struct stat file_now {};
  REQUIRE(::stat(data_dir.c_str(), &folder_now) == 0);
  REQUIRE(::stat((data_dir / "c1").c_str(), &file_now) == 0);
  CHECK((folder_now.st_mode & 07777U) == 0700);
  CHECK((file_now.st_mode & 07777U) == 0600);
}

TEST_CASE_METHOD(StoreTest, "two attachments of one container keep both their delegates", "[flannel]") {
  save("c1", "eth0", R"({"a":0})");
  save("c1", "eth1", R"({"a":1})");
  CHECK(names() == Names{"c1", "c1:eth1"});
  CHECK(loaded("c1", "eth0") == R"({"a":0})");
  CHECK(loaded("c1", "eth1") == R"({"a":1})");
  SECTION("the further one goes first, twice") {
    remove("c1", "eth1");
    remove("c1", "eth1");
    CHECK(loaded("c1", "eth0") == R"({"a":0})");
  }
  SECTION("the first one goes first, twice") {
    remove("c1", "eth0");
    remove("c1", "eth0");
    CHECK(loaded("c1", "eth1") == R"({"a":1})");
  }
}

TEST_CASE_METHOD(StoreTest, "saving again replaces, wherever the old one is", "[flannel]") {
  save("c1", "eth0", R"({"a":0})");
  save("c1", "eth1", R"({"a":1})");
  save("c1", "eth0", R"({"a":2})");
  save("c1", "eth1", R"({"a":3})");
  CHECK(loaded("c1", "eth0") == R"({"a":2})");
  CHECK(loaded("c1", "eth1") == R"({"a":3})");
  remove("c1", "eth0");
  save("c1", "eth1", R"({"a":4})");
  CHECK(names() == Names{"c1"});
  CHECK(loaded("c1", "eth1") == R"({"a":4})");
}

TEST_CASE_METHOD(StoreTest, "a file of upstream is read, and not overwritten for another attachment",
                 "[flannel]") {
  const std::string upstream = test::fixture("cni/flannel/delegate.json");
  write("c1", upstream);
  const auto saved = store.load("c1", "eth0");
  REQUIRE(saved.has_value());
  REQUIRE(saved->has_value());
  CHECK(*(*saved)->conf == nlohmann::json::parse(upstream));
  save("c1", "eth1", R"({"a":1})");
  CHECK(names() == Names{"c1", "c1:eth1"});
  remove("c1", "eth1");
  remove("c1", "eth0");
  CHECK(names().empty());
}

TEST_CASE_METHOD(StoreTest, "our own member never comes back, also when it does not tell whose the file is",
                 "[flannel]") {
  write("c1", R"({"holdfast":{},"type":"bridge"})");
  CHECK(loaded("c1", "eth0") == R"({"type":"bridge"})");
}

TEST_CASE_METHOD(StoreTest, "a torn or empty file is found, told and can be removed", "[flannel]") {
  for (const char* text : {"", R"({"type":"bri)", "[]"}) {
    DYNAMIC_SECTION("'" << text << "'") {
      write("c1", text);
      const auto saved = store.load("c1", "eth0");
      REQUIRE(saved.has_value());
      REQUIRE(saved->has_value());
      CHECK((*saved)->conf == nullptr);
      CHECK((*saved)->defect.find((data_dir / "c1").string()) != std::string::npos);
      SECTION("by DEL") {
        remove("c1", "eth0");
        CHECK(names().empty());
      }
      SECTION("by the next ADD") {
        save("c1", "eth0", R"({"a":0})");
        CHECK(names() == Names{"c1"});
        CHECK(loaded("c1", "eth0") == R"({"a":0})");
      }
    }
  }
}

TEST_CASE_METHOD(StoreTest, "a dot in a container id is no separator", "[flannel]") {
  save("c1", "eth0", R"({"a":0})");
  save("c1.eth1", "eth0", R"({"a":1})");
  save("c1", "eth1", R"({"a":2})");
  CHECK(loaded("c1.eth1", "eth0") == R"({"a":1})");
  CHECK(loaded("c1", "eth1") == R"({"a":2})");
}

TEST_CASE_METHOD(StoreTest, "GC is told what is saved for attachments that are gone, of its network only",
                 "[flannel]") {
  save("c1", "eth0", R"({"name":"n"})");
  save("c2", "eth0", R"({"name":"n"})");
  save("c2", "eth1", R"({"name":"n"})");
  save("c3", "eth0", R"({"name":"other"})");
  write("c4", R"({"name":"n"})");
  write("c5", R"({"name":"n"})");
  write("c6", "torn");
  write(".new:c7:eth0", R"({"name":"n","holdfast":{"ifname":"eth0"}})");
  const auto stale = store.list_stale({{"c1", "eth0"}, {"c2", "eth0"}, {"c4", "eth9"}}, "n");
  REQUIRE(stale.has_value());
  Names found;
  for (const auto& one : *stale)
    found.push_back(one.container_id + " " + one.ifname + " " + cni::to_text(one.saved.conf));
  std::sort(found.begin(), found.end());
  CHECK(found == Names{R"(c2 eth1 {"name":"n"})", R"(c5  {"name":"n"})", R"(c7 eth0 {"name":"n"})"});
}

TEST_CASE_METHOD(StoreTest, "a delegate that DEL could not read again is not saved", "[flannel]") {
  const std::string text = R"({"a":")" + std::string(cni::kMaxConfigBytes - 20, 'x') + R"("})";
  const Status saved = store.save("c1", "eth0", json(text), Durability::kLazy);
  REQUIRE_FALSE(saved.has_value());
  CHECK(saved.error().code == Code::kInvalidArgument);
  CHECK(names().empty());
}

TEST_CASE_METHOD(StoreTest, "GC with no folder yet finds nothing", "[flannel]") {
  CHECK(store.list_stale({}, "n")->empty());
}

TEST_CASE("a save that is killed at any step leaves the old or the new, and DEL leaves nothing",
          "[flannel]") {
  const auto count_steps = [] {
    test::TemporaryFolder folder;
    test::RecordingFiles files(folder.path());
    DelegateStore store(files, folder / "flannel");
    REQUIRE(store.save("c1", "eth0", json(R"({"a":1})"), Durability::kSynced).has_value());
    return files.steps();
  };
  const std::size_t steps = count_steps();
  CHECK(steps >= 5);
  for (std::size_t step = 1; step <= steps; ++step) {
    for (const auto point : {test::KillPoint::kBefore, test::KillPoint::kHalfWay, test::KillPoint::kAfter}) {
      DYNAMIC_SECTION("step " << step << ", point " << static_cast<int>(point)) {
        test::TemporaryFolder folder;
        test::RecordingFiles dying(folder.path());
        dying.kill_at(step, point);
        DelegateStore killed(dying, folder / "flannel");
        CHECK_THROWS_AS(killed.save("c1", "eth0", json(R"({"a":1})"), Durability::kSynced), test::Killed);
        PosixFiles files;
        DelegateStore store(files, folder / "flannel");
        const auto saved = store.load("c1", "eth0");
        REQUIRE(saved.has_value());
        REQUIRE(store.drop_unfinished("c1", "eth0").has_value());
        if (saved->has_value()) {
          CHECK(cni::to_text((*saved)->conf) == R"({"a":1})");
          REQUIRE(store.remove(**saved, Durability::kSynced).has_value());
        }
        CHECK(files.list(folder / "flannel").value().empty());
      }
    }
  }
}

TEST_CASE("a synced save survives any power cut after it", "[flannel]") {
  test::TemporaryFolder folder;
  test::RecordingFiles files(folder.path());
  DelegateStore store(files, folder / "flannel");
  REQUIRE(store.save("c1", "eth0", json(R"({"a":1})"), Durability::kSynced).has_value());
  for (const test::Loss loss : test::kAllLosses) {
    DYNAMIC_SECTION(to_string(loss)) {
      test::TemporaryFolder left;
      REQUIRE(files.rebuild(files.steps(), loss, left.path()).has_value());
      PosixFiles posix;
      DelegateStore after(posix, left / "flannel");
      const auto saved = after.load("c1", "eth0");
      REQUIRE(saved.has_value());
      REQUIRE(saved->has_value());
      CHECK(cni::to_text((*saved)->conf) == R"({"a":1})");
    }
  }
}

TEST_CASE("a lazy save syncs nothing, for the hot path", "[flannel]") {
  test::TemporaryFolder folder;
  test::RecordingFiles files(folder.path());
  DelegateStore store(files, folder / "flannel");
  REQUIRE(store.save("c1", "eth0", json("{}"), Durability::kLazy).has_value());
  for (const auto& operation : files.operations()) {
    CHECK(operation.kind != test::RecordingFiles::Kind::kSyncFile);
    CHECK(operation.kind != test::RecordingFiles::Kind::kSyncFolder);
  }
}

}  // namespace
}  // namespace holdfast::flannel
