#include "common/csi/wire/validation.h"

#include <functional>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <memory>
#include <string>
#include <vector>

#include "common/csi/methods.h"
#include "common/csi/proto/csi.pb.h"
#include "test/catch.h"
#include "test/csi/valid_request.h"

namespace holdfast::csi {
namespace {

namespace pb = google::protobuf;
namespace v1 = ::csi::v1;
using test::valid_request;

Status checked(const pb::Message& request, bool stages = false) {
  return validate(request, {.stages = stages});
}

/// All requests, and the places in them that hold a message of that name: each as it is when it is valid.
struct Place {
  std::unique_ptr<pb::Message> request;
  pb::Message* message;  ///< in the request
  std::string path;
};

void find_places(pb::Message& at, const std::string& path, const std::string& name,
                 const std::function<void(pb::Message&, const std::string&)>& found) {
  if (at.GetDescriptor()->full_name() == "csi.v1." + name) return found(at, path);
  const pb::Reflection& reflection = *at.GetReflection();
  for (int i = 0; i < at.GetDescriptor()->field_count(); ++i) {
    const pb::FieldDescriptor* field = at.GetDescriptor()->field(i);
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated() && reflection.HasField(at, field)) {
      find_places(*reflection.MutableMessage(&at, field), path + field->name() + ".", name, found);
    }
    for (int k = 0; field->is_repeated() && k < reflection.FieldSize(at, field); ++k) {
      find_places(*reflection.MutableRepeatedMessage(&at, field, k),
                  path + field->name() + "[" + std::to_string(k) + "].", name, found);
    }
  }
}

/// A place of that message in any request.
Place place_of(const std::string& name) {
  for (const Method& method : methods()) {
    for (const test::Choice choice : {test::Choice::kFirst, test::Choice::kLast}) {
      Place out{valid_request(std::string(method.name) + "Request", choice), nullptr, ""};
      find_places(*out.request, "", name, [&](pb::Message& at, const std::string& path) {
        out.message = &at;
        out.path = path;
      });
      if (out.message != nullptr) return out;
    }
  }
  FAIL("no request holds a " << name);
  return {};
}

void set_text(pb::Message& message, const pb::FieldDescriptor& field, const std::string& text) {
  if (field.is_repeated()) {
    message.GetReflection()->SetRepeatedString(&message, &field, 0, text);
  } else {
    message.GetReflection()->SetString(&message, &field, text);
  }
}

TEST_CASE("A valid request of every call passes", "[csi]") {
  for (const Method& method : methods()) {
    const std::unique_ptr<pb::Message> request = valid_request(std::string(method.name) + "Request");
    INFO(method.name);
    const Status done = checked(*request, true);
    CHECK((done ? "" : done.error().message) == "");
  }
}

TEST_CASE("Each row of the table of rules refuses what it must", "[csi]") {
  for (const FieldRule& rule : field_rules()) {
    const std::string message(rule.message);
    const std::string name(rule.field);
    DYNAMIC_SECTION(message << "." << name) {
      const auto refused = [&](const std::function<void(pb::Message&, const pb::FieldDescriptor&)>& spoil) {
        const Place place = place_of(message);
        const pb::FieldDescriptor* field = place.message->GetDescriptor()->FindFieldByName(name);
        REQUIRE(field != nullptr);
        spoil(*place.message, *field);
        const Status done = checked(*place.request);
        REQUIRE_FALSE(done.has_value());
        INFO(done.error().message);
        CHECK(done.error().message.starts_with(place.path + name));
        return done.error().code;
      };
      const auto with = [&](const std::string& text) {
        return refused([&](pb::Message& at, const pb::FieldDescriptor& field) { set_text(at, field, text); });
      };
      const auto clear = [](pb::Message& at, const pb::FieldDescriptor& field) {
        at.GetReflection()->ClearField(&at, &field);
      };
      if (rule.required) CHECK(refused(clear) == Code::kInvalidArgument);
      if (place_of(message).message->GetDescriptor()->FindFieldByName(name)->cpp_type() !=
          pb::FieldDescriptor::CPPTYPE_STRING) {
        continue;
      }
      const std::string begin = rule.text == Text::kPath || rule.text == Text::kVolumePath ? "/" : "x";
      CHECK(with(begin + std::string(rule.max_bytes, 'x')) == Code::kInvalidArgument);
      if (rule.text == Text::kAny) continue;
      CHECK(with(begin + "\x01") == Code::kInvalidArgument);
      CHECK(with(begin + "\xc2\x85") == Code::kInvalidArgument);
      if (rule.text != Text::kName) CHECK(with(begin + "\n") == Code::kInvalidArgument);
      if (begin != "/") continue;
      CHECK(with("/var/../etc") == Code::kInvalidArgument);
      CHECK(with("/var/..") == Code::kInvalidArgument);
      CHECK(with("some/path") == (rule.text == Text::kVolumePath ? Code::kNotFound : Code::kInvalidArgument));
    }
  }
}

TEST_CASE("Texts and maps of every request keep to the general limits", "[csi]") {
  for (const Method& method : methods()) {
    const std::string name = std::string(method.name) + "Request";
    const pb::Descriptor& type = *valid_request(name)->GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const pb::FieldDescriptor& field = *type.field(i);
      const std::unique_ptr<pb::Message> request = valid_request(name);
      if (field.is_map()) {
        pb::Message& entry = *request->GetReflection()->AddMessage(request.get(), &field);
        entry.GetReflection()->SetString(&entry, field.message_type()->map_key(), "topsecret");
        entry.GetReflection()->SetString(&entry, field.message_type()->map_value(), std::string(4096, 'x'));
      } else if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING && !field.is_repeated()) {
        set_text(*request, field, "/" + std::string(4095, 'x'));
      } else {
        continue;
      }
      INFO(name << "." << field.name());
      const Status done = checked(*request);
      REQUIRE_FALSE(done.has_value());
      CHECK(done.error().code == Code::kInvalidArgument);
      CHECK(done.error().message.starts_with(field.name() + ": has "));
      CHECK(done.error().message.find("topsecret") == std::string::npos);
    }
  }
}

struct Row {
  const char* name;
  const char* request;
  std::function<void(pb::Message&)> spoil;
  Code code;
  const char* error;
};

template <class Request, class Change>
Row row(const char* name, Change change, Code code, const char* error) {
  return {name, Request::descriptor()->name().c_str(),
          [change](pb::Message& request) { change(dynamic_cast<Request&>(request)); }, code, error};
}

const std::vector<Row>& rows() {
  using Create = v1::CreateVolumeRequest;
  using Expand = v1::ControllerExpandVolumeRequest;
  constexpr Code kBad = Code::kInvalidArgument;
  static const std::vector<Row> all = {
      row<Create>(
          "neither block nor mount", [](Create& r) { r.mutable_volume_capabilities(0)->clear_mount(); }, kBad,
          "volume_capabilities[0].access_type: is missing: tell block or mount"),
      row<Create>(
          "an access mode of a newer version",
          [](Create& r) {
            r.mutable_volume_capabilities(0)->mutable_access_mode()->set_mode(
                static_cast<v1::VolumeCapability::AccessMode::Mode>(8));
          },
          kBad,
          "volume_capabilities[0].access_mode.mode: '8' is not known; the caller is of a newer version"),
      row<Create>(
          "block and mount at once",
          [](Create& r) {
            v1::VolumeCapability other = r.volume_capabilities(0);
            other.mutable_block();
            *r.add_volume_capabilities() = other;
          },
          kBad, "volume_capabilities: ask for a block device and for a file system; one volume is either"),
      row<Create>(
          "mount flags that are many",
          [](Create& r) {
            auto& mount = *r.mutable_volume_capabilities(0)->mutable_mount();
            for (int i = 0; i < 3; ++i) mount.add_mount_flags(std::string(2000, 'o'));
          },
          kBad, "volume_capabilities[0].mount.mount_flags: have more than 4096 bytes"),
      row<Create>(
          "a source that is none", [](Create& r) { r.mutable_volume_content_source()->clear_type(); }, kBad,
          "volume_content_source.type: is missing: tell a snapshot or a volume"),
      row<Create>(
          "no topology asked for",
          [](Create& r) { r.mutable_accessibility_requirements()->clear_requisite(); }, kBad,
          "accessibility_requirements.requisite: is missing, and so is preferred: tell one of them"),
      row<Create>(
          "a topology key that no label has",
          [](Create& r) {
            (*r.mutable_accessibility_requirements()->mutable_requisite(0)->mutable_segments())["a/b/c"] =
                "x";
          },
          kBad, "accessibility_requirements.requisite[0].segments: 'a/b/c=x' is not a topology segment"),
      row<Expand>(
          "no size", [](Expand& r) { r.mutable_capacity_range()->clear_required_bytes(); }, kBad,
          "capacity_range.required_bytes: is missing, and so is limit_bytes: tell one of them"),
      row<Expand>(
          "a negative size", [](Expand& r) { r.mutable_capacity_range()->set_required_bytes(-1); }, kBad,
          "capacity_range.required_bytes: '-1' is negative"),
      row<Expand>(
          "a limit below the size",
          [](Expand& r) {
            r.mutable_capacity_range()->set_required_bytes(2);
            r.mutable_capacity_range()->set_limit_bytes(1);
          },
          Code::kOutOfRange, "capacity_range.limit_bytes: 1 is less than required_bytes, 2"),
      row<v1::ListVolumesRequest>(
          "a negative count", [](v1::ListVolumesRequest& r) { r.set_max_entries(-1); }, kBad,
          "max_entries: '-1' is negative"),
      row<v1::GetMetadataAllocatedRequest>(
          "a negative offset", [](v1::GetMetadataAllocatedRequest& r) { r.set_starting_offset(-5); }, kBad,
          "starting_offset: '-5' is negative"),
      row<v1::CreateVolumeGroupSnapshotRequest>(
          "a volume without an id",
          [](v1::CreateVolumeGroupSnapshotRequest& r) { r.add_source_volume_ids(); }, kBad,
          "source_volume_ids[1]: is missing"),
  };
  return all;
}

TEST_CASE("Fields that contradict each other are refused, naming where", "[csi]") {
  for (const Row& row : rows()) {
    DYNAMIC_SECTION(row.name) {
      const std::unique_ptr<pb::Message> request = valid_request(row.request);
      row.spoil(*request);
      const Status done = checked(*request);
      REQUIRE_FALSE(done.has_value());
      CHECK(done.error().code == row.code);
      CHECK(done.error().message == row.error);
    }
  }
}

TEST_CASE("A driver that stages is not asked to publish what was not staged", "[csi]") {
  const std::unique_ptr<pb::Message> request = valid_request("NodePublishVolumeRequest");
  dynamic_cast<v1::NodePublishVolumeRequest&>(*request).clear_staging_target_path();
  CHECK(checked(*request, false).has_value());
  CHECK(checked(*request, true).error().code == Code::kFailedPrecondition);
  auto& attributes = *dynamic_cast<v1::NodePublishVolumeRequest&>(*request).mutable_volume_context();
  attributes["csi.storage.k8s.io/ephemeral"] = "true";  // a pod's own volume is never staged before
  CHECK(checked(*request, true).has_value());
}

TEST_CASE("What is long but allowed passes", "[csi]") {
  v1::CreateVolumeRequest request =
      dynamic_cast<v1::CreateVolumeRequest&>(*valid_request("CreateVolumeRequest"));
  request.set_name(std::string(127, 'n') + "\t");
  (*request.mutable_parameters())["key"] = std::string(4000, 'v');
  request.mutable_volume_capabilities(0)->mutable_mount()->add_mount_flags(std::string(2000, 'o'));
  CHECK(checked(request).has_value());

  v1::ControllerPublishVolumeRequest publish =
      dynamic_cast<v1::ControllerPublishVolumeRequest&>(*valid_request("ControllerPublishVolumeRequest"));
  publish.set_node_id(std::string(256, 'n'));
  CHECK(checked(publish).has_value());

  v1::NodeUnstageVolumeRequest unstage =
      dynamic_cast<v1::NodeUnstageVolumeRequest&>(*valid_request("NodeUnstageVolumeRequest"));
  unstage.set_staging_target_path("/" + std::string(4000, 'p') + "/..x");
  CHECK(checked(unstage).has_value());
}

}  // namespace
}  // namespace holdfast::csi
