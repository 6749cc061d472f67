#include "test/kube_server/cel.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "test/kube_server/cel_syntax.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

tl::unexpected<Error> no_value(std::string why) { return fail(Code::kFailedPrecondition, std::move(why)); }
tl::unexpected<Error> unknown(std::string what) { return fail(Code::kInvalidArgument, std::move(what)); }

Result<json> value_of(const CelNode& node, const json& names);

Result<bool> truth_of(const CelNode& node, const json& names) {
  const auto value = value_of(node, names);
  if (!value) return tl::unexpected(value.error());
  if (!value->is_boolean()) return no_value("neither true nor false: " + value->dump());
  return value->get<bool>();
}

Result<json> member_of(const json& object, const json& key) {
  if (object.is_array() && key.is_number_integer()) {
    const auto at = key.get<std::int64_t>();
    if (at < 0 || std::cmp_greater_equal(at, object.size()))
      return no_value("index out of range: " + key.dump());
    return object[static_cast<std::size_t>(at)];
  }
  if (object.is_object() && key.is_string()) {
    const auto found = object.find(key.get<std::string>());
    if (found != object.end()) return *found;
  }
  return no_value("no such key: " + key.dump());
}

// && and ||: `decides` on one side is the answer, even when the other has none.
Result<json> joined(const CelNode& node, const json& names, bool decides) {
  const auto left = truth_of(node.parts[0], names);
  if (left && *left == decides) return decides;
  const auto right = truth_of(node.parts[1], names);
  if (right && *right == decides) return decides;
  if (!left) return tl::unexpected(left.error());
  if (!right) return tl::unexpected(right.error());
  return !decides;
}

Result<json> compared(const std::string& sign, const json& left, const json& right) {
  if (sign == "==" || sign == "!=") return (left == right) == (sign == "==");
  if (sign == "in") {
    if (right.is_array()) return std::ranges::find(right, left) != right.end();
    if (right.is_object() && left.is_string()) return right.contains(left.get<std::string>());
    return no_value("'in' needs a list, or a map and a text");
  }
  if (left.is_number() != right.is_number() || left.is_string() != right.is_string() ||
      !(left.is_number() || left.is_string())) {
    return no_value("no such overload: " + left.dump() + " " + sign + " " + right.dump());
  }
  return sign == "<"    ? left < right
         : sign == "<=" ? left <= right
         : sign == ">"  ? left > right
                        : left >= right;
}

Result<json> operated(const CelNode& node, const json& names) {
  if (node.text == "&&" || node.text == "||") return joined(node, names, node.text == "||");
  const auto left = value_of(node.parts[0], names);
  if (!left) return left;
  const auto right = value_of(node.parts[1], names);
  return right ? compared(node.text, *left, *right) : right;
}

// has(e.f): whether e has a member f. An e that has no value is an error.
Result<json> has_member(const CelNode& node, const json& names) {
  if (node.parts.size() != 1 || node.parts[0].kind != CelKind::kMember)
    return unknown("has() takes a member");
  const auto object = value_of(node.parts[0].parts[0], names);
  if (!object) return object;
  if (!object->is_object()) return no_value("has() of what has no members");
  return object->contains(node.parts[0].text);
}

// e.all(x, p) and e.exists(x, p), which are && and || of p for each element.
Result<json> for_each(const CelNode& node, const json& names, bool decides) {
  if (node.parts.size() != 3 || node.parts[1].kind != CelKind::kName)
    return unknown(node.text + "() takes a name and a condition");
  const auto list = value_of(node.parts[0], names);
  if (!list) return list;
  if (!list->is_array()) return no_value(node.text + "() of what is no list");
  std::optional<Error> wrong;
  for (const json& each : *list) {
    json inner = names;
    inner[node.parts[1].text] = each;
    const auto found = truth_of(node.parts[2], inner);
    if (found && *found == decides) return decides;
    if (!found) wrong = found.error();
  }
  if (wrong) return tl::unexpected(*wrong);
  return !decides;
}

Result<json> size_of(const json& value) {
  if (!value.is_string())
    return value.is_structured() ? Result<json>(value.size()) : no_value("size() of " + value.dump());
  const auto& text = value.get_ref<const std::string&>();
  return std::ranges::count_if(text,
                               [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; });
}

Result<json> called(const CelNode& node, const json& names) {
  if (node.text == "has") return has_member(node, names);
  if (node.text == "all" || node.text == "exists") return for_each(node, names, node.text == "exists");
  std::vector<json> values;
  for (const CelNode& part : node.parts) {
    auto value = value_of(part, names);
    if (!value) return value;
    values.push_back(*std::move(value));
  }
  if (node.text == "size" && values.size() == 1) return size_of(values[0]);
  if (values.size() != 2 || !values[0].is_string() || !values[1].is_string())
    return unknown("no such function: " + node.text);
  const std::string text = values[0];
  const std::string part = values[1];
  if (node.text == "startsWith") return text.starts_with(part);
  if (node.text == "endsWith") return text.ends_with(part);
  if (node.text == "contains") return text.find(part) != std::string::npos;
  return unknown("no such function: " + node.text);
}

Result<json> list_of(const CelNode& node, const json& names) {
  json out = json::array();
  for (const CelNode& part : node.parts) {
    auto value = value_of(part, names);
    if (!value) return value;
    out.push_back(*std::move(value));
  }
  return out;
}

Result<json> value_of(const CelNode& node, const json& names) {
  switch (node.kind) {
    case CelKind::kLiteral:
      return node.value;
    case CelKind::kList:
      return list_of(node, names);
    case CelKind::kName:
      return names.contains(node.text) ? Result<json>(names[node.text])
                                       : unknown("undeclared reference to '" + node.text + "'");
    case CelKind::kMember:
    case CelKind::kIndex: {
      const auto object = value_of(node.parts[0], names);
      if (!object || node.kind == CelKind::kMember) return object ? member_of(*object, node.text) : object;
      const auto key = value_of(node.parts[1], names);
      return key ? member_of(*object, *key) : key;
    }
    case CelKind::kCall:
      return called(node, names);
    case CelKind::kNot: {
      const auto truth = truth_of(node.parts[0], names);
      return truth ? Result<json>(!*truth) : tl::unexpected(truth.error());
    }
    case CelKind::kOperator:
      return operated(node, names);
    case CelKind::kChoice: {
      const auto truth = truth_of(node.parts[0], names);
      return truth ? value_of(node.parts[*truth ? 1 : 2], names) : tl::unexpected(truth.error());
    }
  }
  return unknown("no such node");
}

}  // namespace

Result<json> evaluate_cel(std::string_view expression, const json& names) {
  const auto tree = parse_cel(expression);
  if (!tree) return tl::unexpected(tree.error());
  return value_of(*tree, names);
}

}  // namespace holdfast::test
