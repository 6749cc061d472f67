#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/base/json.h"

namespace {

using holdfast::JsonField;
using holdfast::JsonObject;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

// Asks every value for every type, down to the limit of depth.
void visit(const JsonField& field) {
  static_cast<void>(field.string());
  static_cast<void>(field.boolean());
  static_cast<void>(field.integer(-1, 65535));
  static_cast<void>(field.address());
  static_cast<void>(field.cidr());
  static_cast<void>(field.strings_or_empty());
  if (const auto elements = field.array()) {
    for (const JsonField& element : *elements) {
      visit(element);
    }
  }
  if (const auto object = field.object()) {
    for (const std::string& key : object->keys()) {
      visit((*object)[key]);
    }
  }
}

}  // namespace

// What parses is what it is dumped as, and a limit on depth holds for what came through.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  const auto document = holdfast::parse_json(text, {.max_bytes = 4096, .max_depth = 16});
  if (document) {
    visit(JsonField(&*document, ""));
    const auto again =
        holdfast::parse_json(holdfast::dump_json(*document), {.max_bytes = 1 << 20, .max_depth = 16});
    require(again.has_value() && *again == *document);
  } else {
    require(!document.error().message.empty() && document.error().message.size() < 1000);
  }
  return 0;
}
