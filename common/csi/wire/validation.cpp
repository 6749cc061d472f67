#include "common/csi/wire/validation.h"

#include <algorithm>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <optional>
#include <string>
#include <vector>

#include "common/csi/names.h"
#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "common/csi/wire/text_checks.h"

namespace holdfast::csi {
namespace {

namespace pb = google::protobuf;
namespace v1 = ::csi::v1;

tl::unexpected<Error> wrong(const std::string& path, const std::string& why) {
  return fail(Code::kInvalidArgument, path + ": " + why);
}

FieldRule rule_of(const pb::FieldDescriptor& field) {
  // all messages are of one package: "csi.v1.VolumeCapability.AccessMode"
  const std::string_view name =
      std::string_view(field.containing_type()->full_name()).substr(field.file()->package().size() + 1);
  const auto found = std::ranges::find_if(field_rules(), [&](const FieldRule& rule) {
    return rule.field == field.name() && rule.message == name;
  });
  return found == field_rules().end() ? FieldRule{name, field.name()} : *found;
}

bool is_there(const pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  return field.is_repeated() ? reflection.FieldSize(message, &field) > 0
                             : reflection.HasField(message, &field);
}

/// Entries of a map are messages of a key and a value.
Status check_map(const pb::Message& message, const pb::FieldDescriptor& field, const std::string& path) {
  const pb::Reflection& reflection = *message.GetReflection();
  std::size_t bytes = 0;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const pb::Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    for (const pb::FieldDescriptor* part :
         {field.message_type()->map_key(), field.message_type()->map_value()}) {
      bytes += entry.GetReflection()->GetString(entry, part).size();
    }
  }
  if (bytes <= kMaxMapBytes) return {};
  return wrong(
      path, "has " + std::to_string(bytes) + " bytes, at most " + std::to_string(kMaxMapBytes) + " may be");
}

Status check_texts(const pb::Message& message, const pb::FieldDescriptor& field, const FieldRule& rule,
                   const std::string& path) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) return check_text(reflection.GetString(message, &field), rule, path);
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    const std::string text = reflection.GetRepeatedString(message, &field, i);
    if (rule.required && text.empty()) return wrong(at, "is missing");
    HOLDFAST_CHECK(check_text(text, rule, at));
  }
  return {};
}

Status check_number(const pb::Message& message, const pb::FieldDescriptor& field, const std::string& path) {
  const pb::Reflection& reflection = *message.GetReflection();
  const std::int64_t value = field.cpp_type() == pb::FieldDescriptor::CPPTYPE_INT64
                                 ? reflection.GetInt64(message, &field)
                                 : reflection.GetInt32(message, &field);
  if (value >= 0) return {};
  return wrong(path, "'" + std::to_string(value) + "' is negative");
}

Status check_enum(const pb::Message& message, const pb::FieldDescriptor& field, const std::string& path) {
  const int value = message.GetReflection()->GetEnumValue(message, &field);
  if (field.enum_type()->FindValueByNumber(value) != nullptr) return {};
  return wrong(path, "'" + std::to_string(value) + "' is not known; the caller is of a newer version");
}

Status check_message(const pb::Message& message, const std::string& path);

Status check_messages(const pb::Message& message, const pb::FieldDescriptor& field, const std::string& path) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) return check_message(reflection.GetMessage(message, &field), path + ".");
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    HOLDFAST_CHECK(check_message(reflection.GetRepeatedMessage(message, &field, i),
                                 path + "[" + std::to_string(i) + "]."));
  }
  return {};
}

Status check_field(const pb::Message& message, const pb::FieldDescriptor& field, const std::string& path) {
  const FieldRule rule = rule_of(field);
  if (!is_there(message, field)) {
    if (rule.required) return wrong(path, "is missing");
    return {};
  }
  if (field.is_map()) return check_map(message, field, path);
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return check_texts(message, field, rule, path);
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return check_messages(message, field, path);
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return check_enum(message, field, path);
    case pb::FieldDescriptor::CPPTYPE_INT32:
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return check_number(message, field, path);
    default:
      return {};
  }
}

// What fields of one message are to each other.

Status check_whole(const v1::VolumeCapability& capability, const std::string& path) {
  if (capability.access_type_case() != v1::VolumeCapability::ACCESS_TYPE_NOT_SET) return {};
  return wrong(path + "access_type", "is missing: tell block or mount");
}

Status check_whole(const v1::VolumeCapability::MountVolume& mount, const std::string& path) {
  std::size_t bytes = 0;
  for (const std::string& flag : mount.mount_flags()) bytes += flag.size();
  if (bytes <= kMaxMapBytes) return {};
  return wrong(path + "mount_flags", "have more than " + std::to_string(kMaxMapBytes) + " bytes");
}

Status check_whole(const v1::CapacityRange& range, const std::string& path) {
  if (range.required_bytes() == 0 && range.limit_bytes() == 0) {
    return wrong(path + "required_bytes", "is missing, and so is limit_bytes: tell one of them");
  }
  if (range.limit_bytes() == 0 || range.limit_bytes() >= range.required_bytes()) return {};
  return fail(Code::kOutOfRange, path + "limit_bytes: " + std::to_string(range.limit_bytes()) +
                                     " is less than required_bytes, " +
                                     std::to_string(range.required_bytes()));
}

Status check_whole(const v1::VolumeContentSource& source, const std::string& path) {
  if (source.type_case() != v1::VolumeContentSource::TYPE_NOT_SET) return {};
  return wrong(path + "type", "is missing: tell a snapshot or a volume");
}

Status check_whole(const v1::TopologyRequirement& requirement, const std::string& path) {
  if (requirement.requisite_size() > 0 || requirement.preferred_size() > 0) return {};
  return wrong(path + "requisite", "is missing, and so is preferred: tell one of them");
}

Status check_whole(const v1::Topology& topology, const std::string& path) {
  for (const auto& [key, value] : topology.segments()) {
    if (!is_topology_key(key) || !is_topology_value(value)) {
      return wrong(path + "segments", "'" + shown(key) + "=" + shown(value) + "' is not a topology segment");
    }
  }
  return {};
}

Status check_whole(const v1::CreateVolumeRequest& request, const std::string& path) {
  const auto blocks = std::ranges::count_if(request.volume_capabilities(), &v1::VolumeCapability::has_block);
  if (blocks == 0 || blocks == request.volume_capabilities_size()) return {};
  return wrong(path + "volume_capabilities",
               "ask for a block device and for a file system; one volume is either");
}

template <class Type>
std::optional<Status> check_if(const pb::Message& message, const std::string& path) {
  if (message.GetDescriptor() != Type::descriptor()) return std::nullopt;
  return check_whole(static_cast<const Type&>(message), path);
}

template <class... Types>
Status check_one_of(const pb::Message& message, const std::string& path) {
  Status out;
  const auto check = [&](std::optional<Status> done) {
    if (done) out = *std::move(done);
  };
  (check(check_if<Types>(message, path)), ...);
  return out;
}

/// `path` ends with the dot that stands before a field's name.
Status check_message(const pb::Message& message, const std::string& path) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const pb::FieldDescriptor& field = *message.GetDescriptor()->field(i);
    HOLDFAST_CHECK(check_field(message, field, path + field.name()));
  }
  return check_one_of<v1::VolumeCapability, v1::VolumeCapability::MountVolume, v1::CapacityRange,
                      v1::VolumeContentSource, v1::TopologyRequirement, v1::Topology,
                      v1::CreateVolumeRequest>(message, path);
}

}  // namespace

Status validate(const pb::Message& request, const Validation& options) {
  HOLDFAST_CHECK(check_message(request, ""));
  if (!options.stages || request.GetDescriptor() != v1::NodePublishVolumeRequest::descriptor()) return {};
  const auto& publish = static_cast<const v1::NodePublishVolumeRequest&>(request);
  if (!publish.staging_target_path().empty() || is_inline(publish)) return {};
  return fail(Code::kFailedPrecondition, "staging_target_path: is missing; the volume must be staged first");
}

}  // namespace holdfast::csi
