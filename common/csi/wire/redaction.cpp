#include "common/csi/wire/redaction.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <memory>
#include <string_view>
#include <vector>

#include "common/csi/proto/csi.pb.h"

namespace holdfast::csi {
namespace {

namespace pb = google::protobuf;

constexpr const char* kHidden = "***";

bool is_secret(const pb::FieldDescriptor& field) {
  return field.options().GetExtension(::csi::v1::csi_secret) || field.name() == "mount_flags";
}

void hide_map_values(pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    pb::Message& entry = *reflection.MutableRepeatedMessage(&message, &field, i);
    entry.GetReflection()->SetString(&entry, field.message_type()->map_value(), kHidden);
  }
}

void hide(pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (field.is_map() &&
      field.message_type()->map_value()->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
    return hide_map_values(message, field);
  }
  const bool repeated = field.is_repeated();
  reflection.ClearField(&message, &field);
  if (field.cpp_type() != pb::FieldDescriptor::CPPTYPE_STRING) return;
  if (repeated) {
    reflection.AddString(&message, &field, kHidden);
  } else {
    reflection.SetString(&message, &field, kHidden);
  }
}

void hide_secrets(pb::Message& message) {
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> present;
  reflection.ListFields(message, &present);
  for (const pb::FieldDescriptor* field : present) {
    if (is_secret(*field)) {
      hide(message, *field);
    } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map()) {
      const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 0;
      for (int i = 0; i < count; ++i) hide_secrets(*reflection.MutableRepeatedMessage(&message, field, i));
      if (!field->is_repeated()) hide_secrets(*reflection.MutableMessage(&message, field));
    }
  }
}

}  // namespace

std::string loggable(const pb::Message& message) {
  const std::unique_ptr<pb::Message> copy(message.New());
  copy->CopyFrom(message);
  // What a newer caller sends beside it may be secret too.
  copy->DiscardUnknownFields();
  hide_secrets(*copy);
  std::string out = copy->ShortDebugString();
  if (out.size() > kMaxLoggedBytes) out.replace(kMaxLoggedBytes - 3, std::string::npos, "...");
  return out;
}

}  // namespace holdfast::csi
