#include "csi-nas/controller/nas_controller.h"

#include "common/csi/proto/csi.pb.h"
#include "test/catch.h"
#include "test/csi-nas/controller/folder_shares.h"
#include "test/csi-nas/directories/trees.h"
#include "test/csi/driver_tests.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kGiB = 1 << 30;

using csi::test::message;
using csi::test::PatientCall;
using csi::test::refuses;
using test::FolderShares;

/// Does it here and now, unless it is told that it takes long.
class DirectWork final : public DirectoryWork {
 public:
  Result<std::string> run(const std::string& /*id*/, const std::string& /*server*/, DirectoryOrder order,
                          std::chrono::milliseconds /*patience*/) override {
    if (busy) return fail(Code::kAborted, "under way");
    if (failing != 0 && undone) {
      Error error = fail_errno(failing, "put in place").value();
      error.sys_errno = 0;
      return tl::unexpected(std::move(error));
    }
    if (failing != 0) return fail_errno(failing, "put in place");
    order.holder = "h1";
    Progress progress;
    return carry_out(order, progress, {});
  }
  bool busy = false;
  int failing = 0;      // the errno of a system call
  bool undone = false;  // what was begun before it
};

struct Driver {
  static std::string volume_request(const std::string& name, const std::string& parameters,
                                    const std::string& more = {}) {
    return "name: '" + name +
           "' volume_capabilities { mount {} access_mode { mode: MULTI_NODE_MULTI_WRITER } }" +
           " capacity_range { required_bytes: " + std::to_string(kGiB) + " } " + parameters + more;
  }
  static std::string parameter(const std::string& key, const std::string& value) {
    return " parameters { key: '" + key + "' value: '" + value + "' }";
  }
  static std::string on_one_server() { return parameter("server", "10.0.0.5:/exports/a"); }

  Result<csi::v1::CreateVolumeResponse> create(const std::string& request) {
    csi::v1::CreateVolumeResponse response;
    HOLDFAST_CHECK(controller->create_volume(call, message<csi::v1::CreateVolumeRequest>(request), response));
    return response;
  }
  std::string make(const std::string& name, const std::string& parameters = on_one_server()) {
    const auto made = create(volume_request(name, parameters));
    REQUIRE(made);
    return made->volume().volume_id();
  }
  Status remove(const std::string& id) {
    csi::v1::DeleteVolumeRequest request;
    request.set_volume_id(id);
    csi::v1::DeleteVolumeResponse response;
    return controller->delete_volume(call, request, response);
  }
  Result<csi::v1::CreateSnapshotResponse> take(const std::string& name, const std::string& volume) {
    csi::v1::CreateSnapshotRequest request;
    request.set_name(name);
    request.set_source_volume_id(volume);
    csi::v1::CreateSnapshotResponse response;
    HOLDFAST_CHECK(controller->create_snapshot(call, request, response));
    return response;
  }
  Status remove_snapshot(const std::string& id) {
    csi::v1::DeleteSnapshotRequest request;
    request.set_snapshot_id(id);
    csi::v1::DeleteSnapshotResponse response;
    return controller->delete_snapshot(call, request, response);
  }
  Result<csi::v1::ListVolumesResponse> list(const std::string& request) {
    csi::v1::ListVolumesResponse response;
    HOLDFAST_CHECK(controller->list_volumes(call, message<csi::v1::ListVolumesRequest>(request), response));
    return response;
  }
  [[nodiscard]] std::vector<std::string> on(const std::string& share) const {
    std::vector<std::string> names;
    const fs::path path = access.path_of(share);
    if (!fs::exists(path)) return names;
    for (const auto& [name, what] : test::told(path)) names.push_back(name);
    return names;
  }
  /// The program starts again: only its files are left, or not even they.
  void restart(bool records_lost = false) {
    if (records_lost) fs::remove_all(folder / "records");
    std::vector<std::string> notes;
    records = *FileRecords::open(files, folder / "records", notes);
    CHECK(notes.empty());
    volumes = std::make_unique<NasVolumes>(*records, access, work, clock);
    controller = std::make_unique<NasController>(*volumes);
  }
  Driver() { restart(); }

  PatientCall call;
  holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  holdfast::test::FakeClock clock;
  FolderShares access{folder / "shares"};
  DirectWork work;
  std::unique_ptr<FileRecords> records;
  std::unique_ptr<NasVolumes> volumes;
  std::unique_ptr<NasController> controller;
};

constexpr const char* kShare = "10.0.0.5:/exports/a";

TEST_CASE_METHOD(Driver, "a volume is a directory of the share, told so that a node can mount it", "[nas]") {
  const auto made = create(volume_request("pvc-1", on_one_server() + parameter("vers", "4.1")));
  REQUIRE(made);
  const csi::v1::Volume& volume = made->volume();
  CHECK(volume.volume_id() == "nas1#10.0.0.5#/exports/a##pvc-1");
  CHECK(volume.capacity_bytes() == kGiB);
  CHECK(volume.volume_context().at("server") == "10.0.0.5");
  CHECK(volume.volume_context().at("path") == "/exports/a/pvc-1");
  CHECK(volume.volume_context().at("vers") == "4.1");
  CHECK(on(kShare) == std::vector<std::string>{"pvc-1"});
  restart();
  CHECK(make("pvc-1") == volume.volume_id());
}

TEST_CASE_METHOD(Driver, "what no volume can be is refused before anything is made", "[nas]") {
  struct Case {
    const char* name;
    std::string request;
    Code code;
  };
  const std::string block =
      "name: 'v' volume_capabilities { block {} access_mode { mode: SINGLE_NODE_WRITER } }";
  const Case cases[] = {
      {"block", block + on_one_server(), Code::kInvalidArgument},
      {"no server", volume_request("v", ""), Code::kInvalidArgument},
      {"of a cloud that is not there", volume_request("v", parameter("volumeAs", "filesystem")),
       Code::kInvalidArgument},
      {"another kind", volume_request("v", on_one_server() + parameter("volumeAs", "disk")),
       Code::kInvalidArgument},
      {"up", volume_request("v", on_one_server() + parameter("subDir", "../v")), Code::kInvalidArgument},
      {"up by a name",
       volume_request("v", on_one_server() + parameter("subDir", "${pvc.metadata.name}") +
                               parameter("csi.storage.k8s.io/pvc/name", "..")),
       Code::kInvalidArgument},
      {"a path by a name",
       volume_request("v", on_one_server() + parameter("subDir", "${pvc.metadata.name}") +
                               parameter("csi.storage.k8s.io/pvc/name", "a/b")),
       Code::kInvalidArgument},
      {"a name not told", volume_request("v", on_one_server() + parameter("subDir", "${pvc.metadata.name}")),
       Code::kInvalidArgument},
      {"an unknown word", volume_request("v", on_one_server() + parameter("subDir", "${pod.name}")),
       Code::kInvalidArgument},
      {"ours", volume_request("v", on_one_server() + parameter("subDir", ".holdfast/x")),
       Code::kInvalidArgument},
      {"a share in ours", volume_request("v", parameter("server", "10.0.0.5:/exports/.holdfast/snapshots/s")),
       Code::kInvalidArgument},
      {"a policy", volume_request("v", on_one_server() + parameter("onDelete", "burn")),
       Code::kInvalidArgument},
      {"a source that is not there",
       volume_request("v", on_one_server(), " volume_content_source { volume { volume_id: 'x' } }"),
       Code::kNotFound},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      refuses(create(c.request), c.code);
      CHECK(on(kShare).empty());
      CHECK(records->list(false).empty());
    }
  }
}

TEST_CASE_METHOD(Driver, "a parameter that there is not is refused, naming it and those that there are",
                 "[nas]") {
  for (const char* key : {"vres", "onDeletes", "server ", "csi.storage.k8s.io"}) {
    const auto made = create(volume_request("pvc-1", on_one_server() + parameter(key, "4")));
    refuses(made, Code::kInvalidArgument);
    CHECK(made.error().message.starts_with("there is no parameter " + std::string(key) +
                                           " of csi-nas; there are: "));
    CHECK(made.error().message.find(" vers ") != std::string::npos);
  }
  CHECK(records->list(false).empty());
  // Of whatever case, of provisioners, and of classes of other drivers of this one's name.
  make("pvc-1", on_one_server() + parameter("VERS", "4.1") +
                    parameter("sysConfig", "/bdi/read_ahead_kb=128") +
                    parameter("csi.storage.k8s.io/pvc/name", "data"));
  refuses(create(volume_request("pvc-2", on_one_server() + parameter("mountType", "losetup"))),
          Code::kInvalidArgument);
}

TEST_CASE_METHOD(Driver, "a volume that was begun before its class had words that there are not is made",
                 "[nas]") {
  work.busy = true;
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kAborted);
  work.busy = false;
  make("pvc-1", on_one_server() + parameter("vres", "4"));
}

TEST_CASE_METHOD(Driver, "volumes go to the servers in turn, and not to one that is away", "[nas]") {
  const std::string three = parameter("server", "s1:/x,s2:/x,s3:/x");
  access.dead = {"s2"};
  for (const char* name : {"a", "b", "c", "d"}) make(name, three);
  CHECK(on("s2:/x").empty());
  CHECK(on("s1:/x").size() + on("s3:/x").size() == 4);
  access.dead = {"s1", "s2", "s3"};
  refuses(create(volume_request("e", three)), Code::kUnavailable);
  access.dead.clear();
  for (const char* name : {"e", "f", "g"}) make(name, three);
  CHECK(on("s2:/x").size() == 1);
}

TEST_CASE_METHOD(Driver, "a volume keeps its server while its making takes long, also over a restart",
                 "[nas]") {
  const std::string two = parameter("server", "s1:/x,s2:/x");
  work.busy = true;
  refuses(create(volume_request("a", two)), Code::kAborted);
  restart();
  refuses(create(volume_request("a", two)), Code::kAborted);
  CHECK(list("")->entries_size() == 0);
  work.busy = false;
  make("b", two);
  const std::string id = make("a", two);
  CHECK(make("a", two) == id);
  CHECK(on("s1:/x").size() + on("s2:/x").size() == 2);
  CHECK(list("")->entries_size() == 2);
}

TEST_CASE_METHOD(Driver,
                 "a directory may be called as the class says, and its volume is deleted by its record",
                 "[nas]") {
  const std::string named =
      on_one_server() + parameter("subDir", "${pvc.metadata.namespace}/${pvc.metadata.name}") +
      parameter("onDelete", "delete") + parameter("csi.storage.k8s.io/pvc/name", "data") +
      parameter("csi.storage.k8s.io/pvc/namespace", "team");
  const std::string id = make("pvc-1", named);
  CHECK(id.starts_with("nas1h#"));
  CHECK(on(kShare) == std::vector<std::string>{"team", "team/data"});
  refuses(create(volume_request("pvc-2", named)), Code::kAlreadyExists);
  REQUIRE(remove(id));
  CHECK(on(kShare) == std::vector<std::string>{"team"});
  const std::string next = make("pvc-2", named);
  CHECK(next != id);
  REQUIRE(remove(id));
  CHECK(on(kShare) == std::vector<std::string>{"team", "team/data"});
}

TEST_CASE_METHOD(Driver, "a deleted volume is archived, removed or kept, as its class says", "[nas]") {
  struct Case {
    const char* name;
    std::string parameters;
    std::vector<std::string> left;
  };
  const std::string archived = "archived-pvc-1-20240501T000000Z";
  const Case cases[] = {
      {"by default", "", {archived, archived + "/file"}},
      {"archiveOnDelete", parameter("archiveOnDelete", "true"), {archived, archived + "/file"}},
      {"not archived", parameter("archiveOnDelete", "false"), {}},
      {"delete", parameter("onDelete", "delete"), {}},
      {"retain", parameter("onDelete", "retain"), {"pvc-1", "pvc-1/file"}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const std::string id = make("pvc-1", on_one_server() + c.parameters);
      test::write_file(access.path_of(kShare) / "pvc-1" / "file", "x");
      work.busy = true;
      refuses(remove(id), Code::kAborted);
      work.busy = false;
      REQUIRE(remove(id));
      REQUIRE(remove(id));
      CHECK(on(kShare) == c.left);
      CHECK(records->list(false).empty());
    }
  }
}

TEST_CASE_METHOD(Driver, "a volume whose record was lost is archived by what its handle says", "[nas]") {
  const std::string id = make("pvc-1", on_one_server() + parameter("onDelete", "delete"));
  test::write_file(access.path_of(kShare) / "pvc-1" / "file", "x");
  restart(/*records_lost=*/true);
  REQUIRE(remove(id));
  const std::string archived = "archived-pvc-1-20240501T000000Z";
  CHECK(on(kShare) == std::vector<std::string>{archived, archived + "/file"});
  REQUIRE(remove(id));
  CHECK(on(kShare).size() == 2);
}

TEST_CASE_METHOD(Driver, "nothing that is not ours is deleted, whatever a handle says", "[nas]") {
  make("pvc-1");
  fs::create_directories(access.path_of(kShare) / "precious");
  CHECK(remove("pv-of-somebody"));
  refuses(remove("nas1#10.0.0.5#/exports/a##precious"), Code::kFailedPrecondition);
  refuses(remove("nas1#10.0.0.5#/exports/a#..#precious"), Code::kInvalidArgument);
  refuses(remove("nas1#10.0.0.5#/exports/a#.holdfast#claims"), Code::kInvalidArgument);
  CHECK(on(kShare) == std::vector<std::string>{"precious", "pvc-1"});
}

TEST_CASE_METHOD(Driver, "a whole share is a volume that is never touched", "[nas]") {
  const auto made = create(volume_request("pvc-1", on_one_server() + parameter("volumeAs", "sharepath")));
  REQUIRE(made);
  CHECK(made->volume().volume_context().at("path") == "/exports/a");
  fs::create_directories(access.path_of(kShare) / "data");
  refuses(take("snap", made->volume().volume_id()), Code::kInvalidArgument);
  REQUIRE(remove(made->volume().volume_id()));
  CHECK(on(kShare) == std::vector<std::string>{"data"});
}

TEST_CASE_METHOD(Driver, "a snapshot is a copy that outlives its volume, and volumes are made of both",
                 "[nas]") {
  const std::string id = make("pvc-1", on_one_server() + parameter("onDelete", "delete"));
  const fs::path root = access.path_of(kShare);
  test::write_file(root / "pvc-1" / "file", "then");
  const auto taken = take("snap-1", id);
  REQUIRE(taken);
  CHECK(taken->snapshot().ready_to_use());
  CHECK(taken->snapshot().size_bytes() == kGiB);
  const std::string snapshot = taken->snapshot().snapshot_id();
  CHECK(take("snap-1", id)->snapshot().snapshot_id() == snapshot);
  test::write_file(root / "pvc-1" / "file", "now");

  const std::string clone = " volume_content_source { volume { volume_id: '" + id + "' } }";
  const std::string restored = " volume_content_source { snapshot { snapshot_id: '" + snapshot + "' } }";
  REQUIRE(create(volume_request("clone", on_one_server(), clone)));
  REQUIRE(remove(id));
  const auto made = create(volume_request("restored", on_one_server(), restored));
  REQUIRE(made);
  CHECK(made->volume().content_source().snapshot().snapshot_id() == snapshot);
  CHECK(test::read_file(root / "clone" / "file") == "now");
  CHECK(test::read_file(root / "restored" / "file") == "then");
  const std::string bounded =
      "name: 'bounded' volume_capabilities { mount {} } capacity_range { limit_bytes: 9 }";
  refuses(create(bounded + on_one_server() + restored), Code::kOutOfRange);
  refuses(create(volume_request("far", parameter("server", "s2:/x"), restored)), Code::kInvalidArgument);
  refuses(create(volume_request("clone", on_one_server(), restored)), Code::kAlreadyExists);

  refuses(remove(snapshot), Code::kInvalidArgument);
  refuses(take("snap-1", "other"), Code::kAlreadyExists);
  refuses(take("snap-2", "other"), Code::kNotFound);
  REQUIRE(remove_snapshot(snapshot));
  REQUIRE(remove_snapshot(snapshot));
  REQUIRE(remove_snapshot("unknown"));
  CHECK(fs::is_empty(root / ".holdfast" / "snapshots"));
}

TEST_CASE_METHOD(Driver, "a volume of the same name is the same one, or none", "[nas]") {
  make("pvc-1");
  const std::string larger =
      "name: 'pvc-1' volume_capabilities { mount {} } capacity_range { required_bytes: 9999999999 }";
  refuses(create(larger + on_one_server()), Code::kAlreadyExists);
  const std::string smaller =
      "name: 'pvc-1' volume_capabilities { mount {} } capacity_range { limit_bytes: 5 }";
  refuses(create(smaller + on_one_server()), Code::kAlreadyExists);
  for (const std::string& other : {parameter("onDelete", "retain"), parameter("subDir", "elsewhere"),
                                   parameter("volumeAs", "sharepath")}) {
    refuses(create(volume_request("pvc-1", on_one_server() + other)), Code::kAlreadyExists);
  }
  refuses(create(volume_request("pvc-1", parameter("server", "10.0.0.6:/exports/a"))), Code::kAlreadyExists);
}

TEST_CASE_METHOD(Driver, "a volume that is being deleted is neither made, told of nor copied", "[nas]") {
  const std::string id = make("pvc-1");
  const std::string snapshot = take("snap-1", id)->snapshot().snapshot_id();
  work.busy = true;
  refuses(remove(id), Code::kAborted);
  refuses(remove_snapshot(snapshot), Code::kAborted);
  work.busy = false;
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kAborted);
  refuses(take("snap-1", id), Code::kAborted);
  refuses(take("snap-2", id), Code::kNotFound);
  CHECK(list("")->entries_size() == 0);
  restart();
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kAborted);
  REQUIRE(remove(id));
  REQUIRE(remove_snapshot(snapshot));
  make("pvc-1");
}

TEST_CASE_METHOD(Driver, "a volume for which there is no room is refused, and nothing is kept of it",
                 "[nas]") {
  work.failing = ENOSPC;
  work.undone = true;
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kResourceExhausted);
  CHECK(records->list(false).empty());
}

TEST_CASE_METHOD(Driver, "of a copy whose source is deleted meanwhile nothing is left", "[nas]") {
  const std::string source = make("pvc-1");
  const std::string copy = volume_request(
      "pvc-2", on_one_server(), " volume_content_source { volume { volume_id: '" + source + "' } }");
  work.failing = EIO;
  refuses(create(copy), Code::kAborted);
  work.failing = 0;
  REQUIRE(remove(source));
  work.failing = EIO;
  refuses(create(copy), Code::kAborted);
  work.failing = 0;
  refuses(create(copy), Code::kNotFound);
  CHECK_FALSE((*records->by_name("pvc-2", false)).has_value());
}

TEST_CASE_METHOD(Driver, "of a snapshot whose volume is deleted meanwhile nothing is left", "[nas]") {
  const std::string source = make("pvc-1");
  work.failing = EIO;
  REQUIRE_FALSE(take("snap-1", source));
  CHECK((*records->by_name("snap-1", true)).has_value());
  work.failing = 0;
  REQUIRE(remove(source));
  work.busy = true;
  refuses(take("snap-1", source), Code::kAborted);
  work.busy = false;
  refuses(take("snap-1", source), Code::kNotFound);
  CHECK_FALSE((*records->by_name("snap-1", true)).has_value());
}

TEST_CASE_METHOD(Driver, "what may have been made is asked for again, not forgotten", "[nas]") {
  work.failing = ENOENT;
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kAborted);
  CHECK((*records->by_name("pvc-1", false)).has_value());
  work.failing = 0;
  make("pvc-1");
}

TEST_CASE_METHOD(Driver, "what was begun is not forgotten when the share cannot be mounted any more",
                 "[nas]") {
  work.failing = EIO;
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kAborted);
  access.refusing = EACCES;
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kAborted);
  CHECK((*records->by_name("pvc-1", false)).has_value());
}

TEST_CASE_METHOD(Driver, "what is in the way of a directory is told for good, and frees the name", "[nas]") {
  make("pvc-1");
  const fs::path root = access.path_of(kShare);
  test::write_file(root / "file", "x");
  fs::create_directory_symlink(root / "pvc-1", root / "link");
  for (const char* way : {"file/v", "link/v"}) {
    refuses(create(volume_request("pvc-2", on_one_server() + parameter("subDir", way))),
            Code::kFailedPrecondition);
    CHECK_FALSE((*records->by_name("pvc-2", false)).has_value());
  }
  CHECK(std::distance(fs::directory_iterator(root / ".holdfast"), {}) == 1);
  CHECK(std::distance(fs::directory_iterator(root / ".holdfast/claims"), {}) == 1);
  make("pvc-2", on_one_server() + parameter("subDir", "folder/v"));
}

TEST_CASE_METHOD(Driver, "of what failed before anything was begun the error is the last word", "[nas]") {
  access.refusing = EACCES;
  refuses(create(volume_request("pvc-1", on_one_server())), Code::kPermissionDenied);
  CHECK(records->list(false).empty());
}

TEST_CASE_METHOD(Driver, "no volume is made in another's directory, whichever share holds the other",
                 "[nas]") {
  const std::string wide = parameter("server", "10.0.0.5:/exports");
  make("pvc-1");
  for (const char* inside : {"a/pvc-1", "a/pvc-1/deep/x", "a"}) {
    refuses(create(volume_request("pvc-2", wide + parameter("subDir", inside))), Code::kAlreadyExists);
  }
  make("pvc-2", wide + parameter("subDir", "a/pvc-10"));
  make("pvc-3", wide + parameter("subDir", "pool"));
  refuses(create(volume_request("pvc-4", parameter("server", "10.0.0.5:/exports/pool"))),
          Code::kAlreadyExists);
  make("pvc-4", parameter("server", "10.0.0.6:/exports/pool"));
  make("pvc-5", parameter("server", "[fd00::5]:/exports/six"));
  refuses(create(volume_request(
              "pvc-6", parameter("server", "[FD00:0::5]:/exports") + parameter("subDir", "six/pvc-5/x"))),
          Code::kAlreadyExists);
}

TEST_CASE_METHOD(Driver, "a whole share may hold volumes, and lie in none", "[nas]") {
  const std::string whole = parameter("volumeAs", "sharepath");
  make("pvc-1");
  make("all", on_one_server() + whole);
  make("again", on_one_server() + whole);
  make("pvc-2");
  for (const char* inside : {"10.0.0.5:/exports/a/pvc-1", "10.0.0.5:/exports/a/pvc-1/all"}) {
    refuses(create(volume_request("part", parameter("server", inside) + whole)), Code::kAlreadyExists);
  }
  make("part", parameter("server", "10.0.0.5:/exports/a/team/all") + whole);
  refuses(create(volume_request("pvc-3", on_one_server() + parameter("subDir", "team"))),
          Code::kAlreadyExists);
}

TEST_CASE_METHOD(Driver, "a server is one by whichever of its names a class calls it", "[nas]") {
  access.names = {{"nas", "10.0.0.5"}, {"nas.example.com", "10.0.0.5"}, {"other", "10.0.0.6"}};
  const std::string whole = parameter("volumeAs", "sharepath");
  make("pvc-1");
  make("by-name", parameter("server", "nas:/exports/b"));
  for (const char* inside : {"nas:/exports/a/pvc-1", "nas.example.com:/exports/a/pvc-1/all",
                             "nas.example.com:/exports/b/by-name", "10.0.0.5:/exports/b/by-name/x"}) {
    refuses(create(volume_request("part", parameter("server", inside) + whole)), Code::kAlreadyExists);
  }
  make("elsewhere", parameter("server", "other:/exports/a/pvc-1") + whole);
  make("unknown", parameter("server", "new:/exports/a/pvc-1") + whole);
  make("part", parameter("server", "nas:/exports/a/team/all") + whole);
  refuses(create(volume_request("pvc-2", on_one_server() + parameter("subDir", "team"))),
          Code::kAlreadyExists);
}

TEST_CASE_METHOD(Driver, "a share that shows none of its volumes is left alone until it does", "[nas]") {
  const std::string id = make("pvc-1", on_one_server() + parameter("onDelete", "delete"));
  const fs::path share = access.path_of(kShare);
  const fs::path disk = folder / "disk";
  fs::rename(share, disk);  // what is left is the folder on which it was mounted
  refuses(create(volume_request("pvc-2", on_one_server())), Code::kUnavailable);
  refuses(take("snap-1", id), Code::kUnavailable);
  refuses(remove(id), Code::kUnavailable);
  CHECK(fs::is_empty(share));
  CHECK((*records->by_name("pvc-1", false)).has_value());
  fs::remove(share);
  fs::rename(disk, share);
  make("pvc-2");
  REQUIRE(remove(id));
  CHECK(on(kShare) == std::vector<std::string>{"pvc-2"});
}

TEST_CASE_METHOD(Driver, "questions about volumes are answered from the records", "[nas]") {
  const std::string id = make("pvc-1");
  make("pvc-2");
  csi::v1::ValidateVolumeCapabilitiesResponse validated;
  const auto validate = [&](const std::string& volume, const std::string& capability) {
    auto request =
        message<csi::v1::ValidateVolumeCapabilitiesRequest>("volume_capabilities { " + capability + " }");
    request.set_volume_id(volume);
    return controller->validate_capabilities(call, request, validated);
  };
  refuses(validate("unknown", "mount {}"), Code::kNotFound);
  REQUIRE(validate(id, "mount {} access_mode { mode: SINGLE_NODE_SINGLE_WRITER }"));
  CHECK(validated.has_confirmed());
  validated.Clear();
  REQUIRE(validate(id, "block {}"));
  CHECK_FALSE(validated.has_confirmed());

  const auto first = list("max_entries: 1");
  REQUIRE(first->entries_size() == 1);
  const auto second = list("max_entries: 1 starting_token: '" + first->next_token() + "'");
  REQUIRE(second->entries_size() == 1);
  CHECK(second->next_token().empty());
  CHECK(first->entries(0).volume().volume_id() != second->entries(0).volume().volume_id());
  refuses(list("starting_token: 'x'"), Code::kAborted);

  csi::v1::ControllerExpandVolumeRequest more;
  more.set_volume_id(id);
  more.mutable_capacity_range()->set_required_bytes(2 * kGiB);
  csi::v1::ControllerExpandVolumeResponse expanded;
  REQUIRE(controller->expand_volume(call, more, expanded));
  CHECK(expanded.capacity_bytes() == 2 * kGiB);
  CHECK_FALSE(expanded.node_expansion_required());
  more.set_volume_id("unknown");
  refuses(controller->expand_volume(call, more, expanded), Code::kNotFound);

  access.dead = {"10.0.0.5"};
  restart();
  csi::v1::ControllerGetVolumeRequest wanted;
  wanted.set_volume_id(id);
  csi::v1::ControllerGetVolumeResponse found;
  REQUIRE(controller->volume(call, wanted, found));
  CHECK(found.volume().capacity_bytes() == 2 * kGiB);
  CHECK(found.status().volume_condition().abnormal());
  CHECK(found.status().volume_condition().message() == "the NFS server 10.0.0.5 does not answer");
}

}  // namespace
}  // namespace holdfast::nas
