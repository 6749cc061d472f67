#include "test/kube_server/schema_bounds.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "test/kube_server/cel.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

// A value, what it was (null: nothing), and where it stands.
struct Place {
  const json& value;
  const json* before;
  std::string path;

  [[nodiscard]] Place member(const std::string& name) const {
    const bool was = before != nullptr && before->is_object() && before->contains(name);
    return {value.at(name), was ? &before->at(name) : nullptr, path.empty() ? name : path + "." + name};
  }
  [[nodiscard]] Place element(std::size_t index) const {
    return {value.at(index), nullptr, path + "[" + std::to_string(index) + "]"};
  }
};

std::optional<BrokenBound> check(const Place& place, const json& schema);

std::size_t characters_of(const json& text) {
  const auto& bytes = text.get_ref<const std::string&>();
  return static_cast<std::size_t>(std::ranges::count_if(
      bytes, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

bool has_format(const json& value, const std::string& format) {
  static const std::regex date_time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))");
  if (format == "date-time") return std::regex_match(value.get<std::string>(), date_time);
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const bool is_whole =
      value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > kMost);
  if (format == "int64") return is_whole;
  using Int32 = std::numeric_limits<std::int32_t>;
  return format == "int32" && is_whole && value >= Int32::min() && value <= Int32::max();
}

bool has_all(const json& value, const json& names) {
  return std::ranges::all_of(names, [&](const json& name) { return value.contains(name); });
}

// By a schema's word: whether the value keeps to what stands there, and what is said when it does not.
struct Word {
  std::function<bool(const json& value, const json& bound)> keeps;
  const char* words;
};

const std::map<std::string, Word>& bounding_words() {
  static const std::map<std::string, Word> words{
      {"enum",
       {[](const json& v, const json& b) { return std::ranges::find(b, v) != b.end(); },
        "Unsupported value: supported values: "}},
      {"format",
       {[](const json& v, const json& b) { return has_format(v, b); }, "Invalid value: must be of format "}},
      {"maximum",
       {[](const json& v, const json& b) { return v <= b; },
        "Invalid value: should be less than or equal to "}},
      {"minimum",
       {[](const json& v, const json& b) { return v >= b; },
        "Invalid value: should be greater than or equal to "}},
      {"maxItems",
       {[](const json& v, const json& b) { return v.size() <= b; },
        "Too many: must have at most this many items: "}},
      {"minItems",
       {[](const json& v, const json& b) { return v.size() >= b; },
        "Invalid value: should have at least this many items: "}},
      {"maxLength",
       {[](const json& v, const json& b) { return characters_of(v) <= b; },
        "Too long: may not be more than this many characters: "}},
      {"minLength",
       {[](const json& v, const json& b) { return characters_of(v) >= b; },
        "Invalid value: should be at least this many characters long: "}},
      {"maxProperties",
       {[](const json& v, const json& b) { return v.size() <= b; },
        "Too many: must have at most this many items: "}},
      {"pattern",
       {[](const json& v, const json& b) {
          return std::regex_search(v.get<std::string>(), std::regex(b.get<std::string>()));
        },
        "Invalid value: should match "}},
      {"required", {has_all, "Required value: of "}},
  };
  return words;
}

std::optional<BrokenBound> check_words(const Place& place, const json& schema) {
  for (const auto& [word, bound] : schema.items()) {
    const auto known = bounding_words().find(word);
    if (known != bounding_words().end() && !known->second.keeps(place.value, bound))
      return BrokenBound{place.path, known->second.words + bound.dump()};
  }
  return std::nullopt;
}

std::optional<BrokenBound> check_members(const Place& place, const json& schema) {
  const auto properties = schema.find("properties");
  const auto others = schema.find("additionalProperties");
  for (const auto& [name, member] : place.value.items()) {
    const json* its_schema = properties != schema.end() && properties->contains(name) ? &properties->at(name)
                             : others != schema.end() && others->is_object()          ? &*others
                                                                                      : nullptr;
    if (its_schema == nullptr) continue;
    if (auto wrong = check(place.member(name), *its_schema)) return wrong;
  }
  return std::nullopt;
}

// Of a list that is a map no two elements have the same keys.
std::optional<BrokenBound> check_keys(const Place& place, const json& schema) {
  if (schema.value("x-kubernetes-list-type", "atomic") != "map") return std::nullopt;
  std::set<json> seen;
  for (std::size_t i = 0; i < place.value.size(); ++i) {
    json key = json::array();
    for (const json& name : schema["x-kubernetes-list-map-keys"]) {
      key.push_back(place.value[i].value(name.get<std::string>(), json()));
    }
    if (!seen.insert(key).second) return BrokenBound{place.element(i).path, "Duplicate value: " + key.dump()};
  }
  return std::nullopt;
}

std::optional<BrokenBound> check_elements(const Place& place, const json& schema) {
  if (auto wrong = check_keys(place, schema)) return wrong;
  const auto items = schema.find("items");
  for (std::size_t i = 0; items != schema.end() && i < place.value.size(); ++i) {
    if (auto wrong = check(place.element(i), *items)) return wrong;
  }
  return std::nullopt;
}

std::optional<BrokenBound> check_rules(const Place& place, const json& schema) {
  const auto rules = schema.find("x-kubernetes-validations");
  if (rules == schema.end()) return std::nullopt;
  json names{{"self", place.value}};
  if (place.before != nullptr) names["oldSelf"] = *place.before;
  for (const json& each : *rules) {
    const std::string rule = each["rule"];
    if (place.before == nullptr && rule.find("oldSelf") != std::string::npos) continue;
    const auto kept = evaluate_cel(rule, names);
    if (!kept)
      return BrokenBound{place.path, "rule '" + rule + "' resulted in error: " + kept.error().message};
    if (*kept != json(true))
      return BrokenBound{place.path, "Invalid value: " + each.value("message", "failed rule: " + rule)};
  }
  return std::nullopt;
}

std::optional<BrokenBound> check(const Place& place, const json& schema) {
  if (auto wrong = check_words(place, schema)) return wrong;
  auto within = place.value.is_object()  ? check_members(place, schema)
                : place.value.is_array() ? check_elements(place, schema)
                                         : std::nullopt;
  return within ? within : check_rules(place, schema);
}

}  // namespace

std::optional<std::string> unheeded_word(const json& schema) {
  static const std::set<std::string> others{"type",
                                            "description",
                                            "properties",
                                            "items",
                                            "additionalProperties",
                                            "default",
                                            "x-kubernetes-preserve-unknown-fields",
                                            "x-kubernetes-validations",
                                            "x-kubernetes-list-type",
                                            "x-kubernetes-list-map-keys"};
  if (!schema.is_object()) return std::nullopt;
  for (const auto& [word, what] : schema.items()) {
    if (!others.contains(word) && !bounding_words().contains(word)) return word;
    const json properties = word == "properties" ? what : json::object();
    for (const json& each : properties) {
      if (auto found = unheeded_word(each)) return found;
    }
    if (word != "items" && word != "additionalProperties") continue;
    if (auto found = unheeded_word(what)) return found;
  }
  return std::nullopt;
}

void set_schema_defaults(json& object, const json& schema) {
  if (object.is_array() && schema.contains("items")) {
    for (json& each : object) set_schema_defaults(each, schema["items"]);
  }
  if (!object.is_object() || !schema.contains("properties")) return;
  for (const auto& [name, its_schema] : schema["properties"].items()) {
    if (!object.contains(name) && its_schema.contains("default")) object[name] = its_schema["default"];
    if (object.contains(name)) set_schema_defaults(object[name], its_schema);
  }
}

std::optional<BrokenBound> broken_bound(const json& object, const json& before, const json& schema) {
  return check({object, before.is_null() ? nullptr : &before, ""}, schema);
}

}  // namespace holdfast::test
