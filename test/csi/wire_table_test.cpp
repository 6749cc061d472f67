#include <fstream>
#include <sstream>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "common/csi/proto/pluginregistration.pb.h"
#include "test/catch.h"

namespace holdfast::csi {
namespace {

namespace pb = google::protobuf;
namespace v1 = ::csi::v1;

std::string type_of(const pb::FieldDescriptor& field) {
  if (field.is_map()) {
    const pb::Descriptor& entry = *field.message_type();
    return "map<" + type_of(*entry.map_key()) + "," + type_of(*entry.map_value()) + ">";
  }
  const std::string name = field.message_type() != nullptr ? field.message_type()->full_name()
                           : field.enum_type() != nullptr  ? field.enum_type()->full_name()
                                                           : field.type_name();
  return (field.is_repeated() ? "repeated " : "") + name;
}

void tell_field(std::ostream& out, const pb::FieldDescriptor& field) {
  out << "  " << field.number() << " " << field.name() << " " << type_of(field);
  if (const pb::OneofDescriptor* choice = field.real_containing_oneof(); choice != nullptr) {
    out << " oneof " << choice->name();
  }
  if (field.options().GetExtension(v1::csi_secret)) out << " secret";
  if (field.options().GetExtension(v1::alpha_field)) out << " alpha";
  out << "\n";
}

void tell_enum(std::ostream& out, const pb::EnumDescriptor& type) {
  out << "enum " << type.full_name() << "\n";
  for (int i = 0; i < type.value_count(); ++i) {
    const pb::EnumValueDescriptor& value = *type.value(i);
    out << "  " << value.number() << " " << value.name()
        << (value.options().GetExtension(v1::alpha_enum_value) ? " alpha" : "") << "\n";
  }
}

void tell_message(std::ostream& out, const pb::Descriptor& type) {
  if (type.options().map_entry()) return;
  out << "message " << type.full_name() << (type.options().GetExtension(v1::alpha_message) ? " alpha" : "")
      << "\n";
  for (int i = 0; i < type.field_count(); ++i) tell_field(out, *type.field(i));
  for (int i = 0; i < type.nested_type_count(); ++i) tell_message(out, *type.nested_type(i));
  for (int i = 0; i < type.enum_type_count(); ++i) tell_enum(out, *type.enum_type(i));
}

void tell_service(std::ostream& out, const pb::ServiceDescriptor& service) {
  out << "service " << service.full_name()
      << (service.options().GetExtension(v1::alpha_service) ? " alpha" : "") << "\n";
  for (int i = 0; i < service.method_count(); ++i) {
    const pb::MethodDescriptor& method = *service.method(i);
    out << "  " << method.name() << " " << method.input_type()->full_name()
        << (method.client_streaming() ? " stream" : "") << " -> " << method.output_type()->full_name()
        << (method.server_streaming() ? " stream" : "")
        << (method.options().GetExtension(v1::alpha_method) ? " alpha" : "") << "\n";
  }
}

/// Everything that the other end of a socket could notice, a line each.
std::string wire_of(const pb::FileDescriptor& file) {
  std::ostringstream out;
  for (int i = 0; i < file.extension_count(); ++i) {
    const pb::FieldDescriptor& option = *file.extension(i);
    out << "option " << option.containing_type()->full_name() << " " << option.full_name() << " "
        << option.number() << "\n";
  }
  for (int i = 0; i < file.service_count(); ++i) tell_service(out, *file.service(i));
  for (int i = 0; i < file.message_type_count(); ++i) tell_message(out, *file.message_type(i));
  for (int i = 0; i < file.enum_type_count(); ++i) tell_enum(out, *file.enum_type(i));
  return out.str();
}

std::vector<std::string> lines_of(std::istream&& text) {
  std::vector<std::string> out;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with('#')) out.push_back(line);
  }
  return out;
}

TEST_CASE("The wire interface is the public one, name by name and number by number", "[csi]") {
  const std::vector<std::string> want = lines_of(std::ifstream(HOLDFAST_FIXTURES "/csi/wire.txt"));
  const std::vector<std::string> have =
      lines_of(std::istringstream(wire_of(*v1::CreateVolumeRequest::descriptor()->file()) +
                                  wire_of(*pluginregistration::PluginInfo::descriptor()->file())));
  REQUIRE(want.size() > 400);
  for (std::size_t i = 0; i < std::min(want.size(), have.size()); ++i) {
    INFO("line " << i);
    REQUIRE(have[i] == want[i]);
  }
  CHECK(have.size() == want.size());
}

}  // namespace
}  // namespace holdfast::csi
