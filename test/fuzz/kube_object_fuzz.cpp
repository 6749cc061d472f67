#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/json.h"
#include "common/kube/object.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace kube = holdfast::kube;
using holdfast::fuzz::require;
using nlohmann::json;

const kube::KeptFields kKept{"spec.podCIDRs", "metadata.annotations", "status.conditions"};

// Whether `part` is `whole` but for members that were left out.
bool is_part_of(const json& part, const json& whole) {
  if (!part.is_object() || !whole.is_object()) return part == whole;
  return std::ranges::all_of(part.items(), [&](const auto& member) {
    return whole.contains(member.key()) && is_part_of(member.value(), whole[member.key()]);
  });
}

bool has_same(const json& part, const json& whole, const char* path) {
  const json::json_pointer at(path);
  return !whole.contains(at) || (part.contains(at) && part[at] == whole[at]);
}

}  // namespace

// Of an object's text nothing is kept but what was asked for, and that as a full parse has it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = holdfast::fuzz::text_of(data, size);
  const json whole = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto kept = kube::parse_object(text, kKept);
  require(kept.has_value() == whole.is_object());
  const holdfast::Error error = kube::error_of_answer(size == 0 ? 0 : data[0] * 2, text);
  require(!error.message.empty());
  static_cast<void>(kube::escape(text));
  static_cast<void>(kube::version_number(text));
  if (!kept) return 0;
  require(is_part_of(*kept, whole));
  for (const char* path :
       {"/spec/podCIDRs", "/metadata/annotations", "/status/conditions", "/metadata/name"}) {
    require(has_same(*kept, whole, path));
  }
  require(!kept->contains("/metadata/managedFields"_json_pointer));
  if (const auto id = kube::id_of(*kept)) {
    require(id->name.empty() || whole["metadata"]["name"] == id->name);
  }
  return 0;
}
