#include "csi-disk/controller/disk_attachments.h"

#include "test/catch.h"
#include "test/csi-disk/controller/disk_scene.h"

namespace holdfast::disk {
namespace {

using Context = std::map<std::string, std::string>;

template <class T>
void refuses(const Result<T>& result, Code code, const std::string& told) {
  REQUIRE_FALSE(result.has_value());
  INFO(result.error().message);
  CHECK(to_string(result.error().code) == to_string(code));
  CHECK_THAT(result.error().message, Catch::Contains(told));
}

TEST_CASE_METHOD(SlowDiskScene, "only the first attachment says that a disk is new", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  const std::string serial = now(id).serial;
  CHECK(attach(id, "i-1").value() == Context{{"serialNumber", serial}, {"csi.fs", "new"}});
  CHECK(now(id).tags.at("csi.fs") == "maybe");
  CHECK(now(id).state == DiskState::kInUse);
  CHECK(attach(id, "i-1").value() == Context{{"serialNumber", serial}, {"csi.fs", "maybe"}});
  REQUIRE(detach(id, "i-1"));
  CHECK(now(id).nodes.empty());
  restart();
  CHECK(attach(id, "i-2").value().at("csi.fs") == "maybe");
}

TEST_CASE_METHOD(DiskScene, "an attachment that was never answered leaves a disk new", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  cloud.fault = [](std::size_t, const std::string& call) {
    return call == "attach_disk" ? std::optional(MemoryDisks::Fault::kUnanswered) : std::nullopt;
  };
  refuses(attach(id, "i-1"), Code::kAborted, "timed out");
  cloud.fault = nullptr;
  restart();
  CHECK(attach(id, "i-1").value().at("csi.fs") == "new");
}

TEST_CASE_METHOD(DiskScene, "what others made, or was made from something, may hold anything",
                 "[disk attach]") {
  const std::string theirs = cloud.put_disk({.id = {}, .gib = 20, .zone = "a"});
  CHECK(attach(theirs, "i-1").value() == Context{{"csi.fs", "maybe"}});
  cloud.able.tags = false;
  const std::string untold = create("pvc-1")->id;
  CHECK(attach(untold, "i-1").value().at("csi.fs") == "maybe");
}

TEST_CASE_METHOD(DiskScene, "a disk that another node has is refused by both names", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  REQUIRE(attach(id, "i-1"));
  refuses(attach(id, "i-2"), Code::kFailedPrecondition,
          "disk " + id + " cannot be attached to i-2: it is attached to i-1");
  CHECK(now(id).nodes == std::vector<std::string>{"i-1"});
}

TEST_CASE_METHOD(SlowDiskScene, "a disk that is leaving another node is waited for", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  REQUIRE(attach(id, "i-1"));
  refuses(volumes->attachments().detach(id, "i-1", std::chrono::milliseconds(50)), Code::kAborted,
          "under way");
  CHECK(attach(id, "i-2").has_value());
  CHECK(now(id).nodes == std::vector<std::string>{"i-2"});
}

TEST_CASE_METHOD(SlowDiskScene, "a disk for several nodes is shared by those that say so", "[disk attach]") {
  const std::string id = create(wanted("pvc-1", {{"multiAttach", "true"}}))->id;
  REQUIRE(attach(id, "i-1", true));
  refuses(attach(id, "i-2", false), Code::kFailedPrecondition, "attached to i-1");
  REQUIRE(attach(id, "i-2", true));
  CHECK(now(id).nodes.size() == 2);
  REQUIRE(detach(id, ""));
  CHECK(now(id).nodes.empty());
  const std::string single = create("pvc-2")->id;
  REQUIRE(attach(single, "i-1", true));
  refuses(attach(single, "i-2", true), Code::kFailedPrecondition, "attached to i-1");
}

TEST_CASE_METHOD(DiskScene, "what cannot be attached is told apart", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  refuses(attach("d-none", "i-1"), Code::kNotFound, "no disk d-none");
  refuses(attach("no id of this cloud", "i-1"), Code::kNotFound, "no disk");
  refuses(attach(id, "i-none"), Code::kNotFound, "no node");
  refuses(attach(id, "i-3"), Code::kInternal, "ZoneMismatch");
  cloud.nodes["i-1"].most_disks = 1;
  REQUIRE(attach(create("pvc-2")->id, "i-1"));
  refuses(attach(id, "i-1"), Code::kResourceExhausted, "InstanceDiskLimitExceeded");
  cloud.in_arrears = true;
  refuses(attach(id, "i-2"), Code::kUnavailable, "in arrears");
  CHECK(now(id).nodes.empty());
}

TEST_CASE_METHOD(SlowDiskScene, "an attachment that takes longer than its call is found by the next",
                 "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  refuses(volumes->attachments().attach(id, "i-1", false, std::chrono::milliseconds(200)), Code::kAborted,
          "attaching disk " + id + " to i-1 is under way");
  cloud.forget_calls();
  CHECK(attach(id, "i-1").value().at("csi.fs") == "new");
  CHECK(cloud.calls().count("attach_disk") == 0);
}

TEST_CASE_METHOD(DiskScene, "what is quick is seen at once", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  cloud.forget_calls();
  const auto begun = clock.since_boot();
  REQUIRE(attach(id, "i-1"));
  CHECK(clock.since_boot() - begun <= std::chrono::milliseconds(5));
}

TEST_CASE_METHOD(DiskScene, "why the cloud refuses a change for as long as it is asked is told",
                 "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  const auto busy = [this](const std::string& of) {
    cloud.fault = [of](std::size_t /*number*/, const std::string& call) {
      return call == of ? std::optional(MemoryDisks::Fault::kBusy) : std::nullopt;
    };
  };
  const std::string why = "is refused by the cloud so far: the machine is stopped (IncorrectInstanceStatus)";
  busy("attach_disk");
  refuses(attach(id, "i-1"), Code::kAborted, "attaching disk " + id + " to i-1 " + why);
  busy("grow_disk");
  refuses(volumes->expand(id, {.required_bytes = 40 * kGiB}, kPatience), Code::kAborted, why);
  busy("delete_disk");
  refuses(volumes->remove(id, kPatience), Code::kAborted, "deleting disk " + id + " " + why);
  cloud.fault = {};
  CHECK(attach(id, "i-1").has_value());
}

TEST_CASE_METHOD(SlowDiskScene, "few looks are taken at what is slow", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  cloud.forget_calls();
  const auto begun = clock.since_boot();
  REQUIRE(attach(id, "i-1"));
  CHECK(clock.since_boot() - begun < std::chrono::milliseconds(1250));
  CHECK(cloud.calls().at("disks") < 25);
  CHECK(cloud.calls().at("attach_disk") == 1);
}

TEST_CASE_METHOD(DiskScene, "what is gone is detached", "[disk attach]") {
  const std::string id = create("pvc-1")->id;
  CHECK(detach(id, "i-1").has_value());
  CHECK(detach("d-none", "i-1").has_value());
  CHECK(detach("d-none", "").has_value());
  CHECK(detach("whatever", "i-1").has_value());
  REQUIRE(attach(id, "i-1"));
  CHECK(detach(id, "i-2").has_value());
  CHECK(now(id).nodes == std::vector<std::string>{"i-1"});
  cloud.nodes.erase("i-1");
  CHECK(detach(id, "i-1").has_value());
  CHECK(now(id).nodes.empty());
}

}  // namespace
}  // namespace holdfast::disk
