#include "common/yaml/yaml.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <yaml-cpp/yaml.h>

#include "common/base/json.h"

namespace holdfast {
namespace {

using nlohmann::json;

template <class Number>
std::optional<Number> whole(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A number as YAML 1.2's core schema spells it. Infinity and NaN, which JSON has not, stay strings.
std::optional<json> number_of(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0o")) {
    const auto value = whole<std::uint64_t>(text.substr(2), text[1] == 'x' ? 16 : 8);
    return value ? std::optional<json>(*value) : std::nullopt;
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  if (const auto value = whole<std::int64_t>(text)) return json(*value);
  if (const auto value = whole<std::uint64_t>(text)) return json(*value);
  double fraction = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fraction);
  const bool all = error == std::errc{} && end == text.data() + text.size() && !text.empty();
  return all && std::isfinite(fraction) ? std::optional<json>(fraction) : std::nullopt;
}

json plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return number_of(text).value_or(json(text));
}

/// Whether a line begins a document. In a text without directives no other line can look like it.
/// Source: YAML 1.2, 9.1.2
bool is_document_start(std::string_view line) {
  return line.starts_with("---") && line.substr(3).find_first_not_of(" \t\r\n") != 0;
}

struct Piece {
  std::string_view text;
  int first_line = 0;  // from 0
};

/// Each document by itself, so that only one is held as a tree, of many times its length. Of a text with
/// directives, which may stand before a document, one piece.
std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> out{{text, 0}};
  int line_number = 0;
  for (std::size_t at = 0; at < text.size(); ++line_number) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with('%')) return {{text, 0}};
    if (at != 0 && is_document_start(line)) {
      Piece& before = out.back();
      before.text = before.text.substr(0, before.text.size() - (text.size() - at));
      out.push_back({text.substr(at), line_number});
    }
    at = end;
  }
  return out;
}

class Converter {
 public:
  explicit Converter(const YamlLimits& limits) : limits_(limits) {}

  /// Adds the documents of a piece, without those that are empty.
  Status convert(const Piece& piece, std::vector<json>& out) {
    first_line_ = piece.first_line;
    for (const YAML::Node& document : YAML::LoadAll(std::string(piece.text))) {
      HOLDFAST_TRY(json converted, convert(document));
      if (!converted.is_null()) out.push_back(std::move(converted));
    }
    return {};
  }
  /// Where in the whole text a place of the piece is.
  [[nodiscard]] std::string at(const YAML::Mark& mark) const {
    if (mark.is_null()) return "";
    return "line " + std::to_string(first_line_ + mark.line + 1) + ", column " +
           std::to_string(mark.column + 1) + ": ";
  }

 private:
  Result<json> convert(const YAML::Node& node, std::size_t depth = 0) {
    if (depth > limits_.max_depth) {
      return fail(Code::kInvalidArgument, at(node.Mark()) + "more than " + std::to_string(limits_.max_depth) +
                                              " mappings and sequences within each other");
    }
    if (++nodes_ > limits_.max_nodes) {
      return fail(Code::kInvalidArgument,
                  "more than " + std::to_string(limits_.max_nodes) + " values, aliases expanded");
    }
    if (node.IsMap()) return convert_map(node, depth);
    if (node.IsSequence()) return convert_sequence(node, depth);
    // the tag "!" is what the parser gives a scalar in quotes
    if (node.IsScalar()) return node.Tag() == "!" ? json(node.Scalar()) : plain_scalar(node.Scalar());
    return json(nullptr);
  }
  Result<json> convert_map(const YAML::Node& node, std::size_t depth) {
    json out = json::object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        return fail(Code::kInvalidArgument, at(entry.first.Mark()) + "a key must be a string");
      }
      HOLDFAST_TRY(out[entry.first.Scalar()], convert(entry.second, depth + 1));
    }
    return out;
  }
  Result<json> convert_sequence(const YAML::Node& node, std::size_t depth) {
    json out = json::array();
    for (const YAML::Node& element : node) {
      HOLDFAST_TRY(json converted, convert(element, depth + 1));
      out.push_back(std::move(converted));
    }
    return out;
  }

  const YamlLimits& limits_;
  std::size_t nodes_ = 0;
  int first_line_ = 0;
};

void emit(YAML::Emitter& out, const json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, member] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, member);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::BeginSeq;
    for (const json& element : value) emit(out, element);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    out << YAML::DoubleQuoted << value.get<std::string>();
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << dump_json(value);
  }
}

}  // namespace

Result<std::vector<json>> parse_yaml(std::string_view text, const YamlLimits& limits) {
  std::vector<json> out;
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && (text[start] == '{' || text[start] == '[')) {
    HOLDFAST_TRY(json document, parse_json(text, {limits.max_bytes, limits.max_depth}));
    out.push_back(std::move(document));
    return out;
  }
  if (text.size() > limits.max_bytes) {
    return fail(Code::kInvalidArgument, "longer than " + std::to_string(limits.max_bytes) + " bytes");
  }
  Converter converter(limits);
  try {
    for (const Piece& piece : pieces_of(text)) HOLDFAST_CHECK(converter.convert(piece, out));
  } catch (const YAML::Exception& error) {
    return fail(Code::kInvalidArgument, converter.at(error.mark) + error.msg);
  }
  return out;
}

std::string dump_yaml(const json& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

}  // namespace holdfast
