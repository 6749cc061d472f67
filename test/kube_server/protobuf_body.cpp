#include "test/kube_server/protobuf_body.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/base64.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic("k8s\0", 4);
constexpr unsigned kVarint = 0;
constexpr unsigned kBytes = 2;

struct Field {
  std::uint64_t number = 0;
  std::string_view bytes{};  // of a number: none
};

std::optional<std::uint64_t> take_varint(std::string_view& text) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !text.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80U) return value;
  }
  return std::nullopt;
}

// Nothing: it is torn, or has fields of other types.
std::optional<std::vector<Field>> fields_of(std::string_view message) {
  std::vector<Field> out;
  while (!message.empty()) {
    const auto tag = take_varint(message);
    const auto value = take_varint(message);
    if (!tag || !value) return std::nullopt;
    const auto type = *tag & 7U;
    if (type != kVarint && (type != kBytes || *value > message.size())) return std::nullopt;
    const std::size_t size = type == kBytes ? *value : 0;
    out.push_back({.number = *tag >> 3U, .bytes = message.substr(0, size)});
    message.remove_prefix(size);
  }
  return out;
}

enum class Form { kText, kTexts, kTextMap, kBase64Map, kMessage };
struct Member {
  std::uint64_t number;
  const char* name;
  Form form;
  const std::vector<Member>* members = nullptr;
};
using Message = std::vector<Member>;

bool take(json& object, const Field& field, const Member& member);

std::optional<json> object_of(std::string_view bytes, const Message& message) {
  const auto fields = fields_of(bytes);
  if (!fields) return std::nullopt;
  json out = json::object();
  for (const Field& field : *fields) {
    for (const Member& member : message) {
      if (member.number == field.number && !take(out, field, member)) return std::nullopt;
    }
  }
  return out;
}

bool take_entry(json& object, const Field& field, const Member& member) {
  static const Message entry{{1, "key", Form::kText}, {2, "value", Form::kText}};
  const auto pair = object_of(field.bytes, entry);
  if (!pair) return false;
  const std::string value = pair->value("value", "");
  object[member.name][pair->value("key", "")] = member.form == Form::kTextMap ? value : encode_base64(value);
  return true;
}

bool take(json& object, const Field& field, const Member& member) {
  if (member.form == Form::kText) {
    if (!field.bytes.empty()) object[member.name] = field.bytes;
    return true;
  }
  if (member.form == Form::kTexts) {
    object[member.name].push_back(field.bytes);
    return true;
  }
  if (member.form == Form::kMessage) {
    const auto part = object_of(field.bytes, *member.members);
    if (part) object[member.name] = *part;
    return part.has_value();
  }
  return take_entry(object, field, member);
}

const Message* message_of(const std::string& kind) {
  static const Message metadata{{1, "name", Form::kText},       {2, "generateName", Form::kText},
                                {3, "namespace", Form::kText},  {6, "resourceVersion", Form::kText},
                                {11, "labels", Form::kTextMap}, {12, "annotations", Form::kTextMap}};
  static const Message secret{
      {1, "metadata", Form::kMessage, &metadata}, {2, "data", Form::kBase64Map}, {3, "type", Form::kText}};
  static const Message preconditions{{1, "uid", Form::kText}};
  static const Message delete_options{{2, "preconditions", Form::kMessage, &preconditions},
                                      {4, "propagationPolicy", Form::kText},
                                      {5, "dryRun", Form::kTexts}};
  if (kind == "Secret") return &secret;
  return kind == "DeleteOptions" ? &delete_options : nullptr;
}

}  // namespace

std::optional<json> object_of_protobuf(std::string_view body) {
  static const Message type{{1, "apiVersion", Form::kText}, {2, "kind", Form::kText}};
  static const Message envelope{{1, "type", Form::kMessage, &type}, {2, "raw", Form::kText}};
  if (!body.starts_with(kMagic)) return std::nullopt;
  const auto whole = object_of(body.substr(kMagic.size()), envelope);
  if (!whole || !whole->contains("type")) return std::nullopt;
  const json& its_type = whole->at("type");
  const Message* message = message_of(its_type.value("kind", ""));
  if (message == nullptr) return std::nullopt;
  auto object = object_of(whole->value("raw", ""), *message);
  if (object) object->update(its_type);
  return object;
}

}  // namespace holdfast::test
