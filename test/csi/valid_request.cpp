#include "test/csi/valid_request.h"

#include <google/protobuf/descriptor.h>

#include "common/csi/proto/csi.pb.h"

namespace holdfast::csi::test {
namespace {

namespace pb = google::protobuf;

void fill(pb::Message& message, Choice choice);

std::string text_for(const pb::FieldDescriptor& field) {
  return field.name().ends_with("_path") ? "/var/lib/kubelet/" + field.name() : "some-" + field.name();
}

void fill_map(pb::Message& message, const pb::FieldDescriptor& field) {
  const bool secret = field.options().GetExtension(::csi::v1::csi_secret);
  pb::Message& entry = *message.GetReflection()->AddMessage(&message, &field);
  entry.GetReflection()->SetString(&entry, field.message_type()->map_key(), secret ? "password" : "key");
  entry.GetReflection()->SetString(&entry, field.message_type()->map_value(), secret ? kSecret : "value");
}

void fill_field(pb::Message& message, const pb::FieldDescriptor& field, Choice choice) {
  const pb::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return field.is_repeated() ? reflection.AddString(&message, &field, text_for(field))
                                 : reflection.SetString(&message, &field, text_for(field));
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      if (field.is_map()) return fill_map(message, field);
      return fill(field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                      : *reflection.MutableMessage(&message, &field),
                  choice);
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnumValue(&message, &field, 1);
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, 1);
    case pb::FieldDescriptor::CPPTYPE_INT64:
      if (field.name() == "limit_bytes") return;  // so that a test may set the other bound alone
      return reflection.SetInt64(&message, &field, 1);
    default:
      return;
  }
}

/// Of a choice the last that is set counts.
bool is_chosen(const pb::Message& message, const pb::FieldDescriptor& field, Choice choice) {
  const pb::OneofDescriptor* members = field.real_containing_oneof();
  return members == nullptr || choice == Choice::kLast ||
         !message.GetReflection()->HasOneof(message, members);
}

void fill(pb::Message& message, Choice choice) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const pb::FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.name() != "preferred" && is_chosen(message, field, choice)) fill_field(message, field, choice);
  }
}

}  // namespace

std::unique_ptr<pb::Message> valid_request(const std::string& name, Choice choice) {
  const pb::Descriptor* type =
      ::csi::v1::CreateVolumeRequest::descriptor()->file()->FindMessageTypeByName(name);
  std::unique_ptr<pb::Message> out(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
  fill(*out, choice);
  return out;
}

}  // namespace holdfast::csi::test
