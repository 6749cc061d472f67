#include "cni-flannel/plugin/json_part.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"

namespace holdfast::cni {

Result<JsonPart> parse_document(std::string_view text, std::string_view what) {
  Result<nlohmann::json> document = parse_json(text);
  if (!document) return tl::unexpected(std::move(document).error().within(what));
  return std::make_shared<const nlohmann::json>(*std::move(document));
}

JsonPart member(const JsonPart& object, std::string_view name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const JsonField field = JsonObject(object.get(), "")[name];
  return field.present() ? JsonPart(object, &field.raw()) : nullptr;
}

std::string to_text(const JsonPart& part) { return part == nullptr ? "null" : dump_json(*part); }

JsonPart with_member(const JsonPart& object, std::string_view name, const JsonPart& value) {
  nlohmann::json copy =
      object != nullptr && object->is_object() ? nlohmann::json(*object) : nlohmann::json::object();
  // One pass a spelling: "MTU" and "mtu" are the same member.
  while (true) {
    const JsonField old = JsonObject(&copy, "")[name];
    if (!old.present()) break;
    for (auto found = copy.begin(); found != copy.end(); ++found) {
      if (&*found != &old.raw()) continue;
      copy.erase(found);
      break;
    }
  }
  if (value != nullptr) copy[std::string(name)] = *value;
  return std::make_shared<const nlohmann::json>(std::move(copy));
}

}  // namespace holdfast::cni
