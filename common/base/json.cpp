#include "common/base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestQuote = 80;     // bytes of a refused value that are shown
constexpr std::size_t kLongestMistake = 300;  // the parser's words repeat what it has read last

// Deepest nesting of brackets outside strings. Exact for valid JSON; for the rest the parser has the last
// word.
std::size_t nesting_depth(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      i += c == '\\' ? 1 : 0;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

// Takes every value and keeps only what the parser says about the first mistake.
class MistakeFinder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*elements*/) override { return true; }
  bool key(string_t& /*value*/) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t /*elements*/) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const json::exception& error) override {
    mistake = error.what();
    return false;
  }

  std::string mistake = "not JSON";
};

// What is wrong with a text that did not parse, without the library's "[json.exception...] " in front.
std::string mistake_in(std::string_view text) {
  MistakeFinder finder;
  static_cast<void>(json::sax_parse(text, &finder));
  const std::size_t tag_end = finder.mistake.find("] ");
  return finder.mistake.substr(tag_end == std::string::npos ? 0 : tag_end + 2, kLongestMistake);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_but_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// The text a person knows the value by: strings without their quotes but with control characters escaped.
std::string quoted(const json& value) {
  std::string text = dump_json(value);
  if (value.is_string()) {
    text = text.substr(1, text.size() - 2);
  }
  if (text.size() > kLongestQuote) {
    text.resize(kLongestQuote);
    text += "...";
  }
  return "'" + text + "'";
}

tl::unexpected<Error> fail_at(const std::string& path, std::string_view why) {
  std::string message = path;
  message += path.empty() ? "" : ": ";
  message += why;
  return fail(Code::kInvalidArgument, std::move(message));
}

// The result with the path in front of its error.
template <class T>
Result<T> at_path(const std::string& path, Result<T> result) {
  if (!result) {
    return fail_at(path, result.error().message);
  }
  return result;
}

}  // namespace

Result<json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(Code::kInvalidArgument,
                "JSON text is longer than " + std::to_string(limits.max_bytes) + " bytes");
  }
  if (nesting_depth(text) > limits.max_depth) {
    return fail(Code::kInvalidArgument,
                "JSON text is nested deeper than " + std::to_string(limits.max_depth) + " levels");
  }
  json document = json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    return fail(Code::kInvalidArgument, mistake_in(text));
  }
  return document;
}

std::string dump_json(const json& value, int indent) {
  return value.dump(indent, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

JsonField::JsonField(const json* value, std::string path)
    : value_(value == nullptr || value->is_null() ? nullptr : value), path_(std::move(path)) {}

const json& JsonField::raw() const {
  static const json null;
  return present() ? *value_ : null;
}

tl::unexpected<Error> JsonField::refuse(std::string_view why) const {
  return fail_at(path_, quoted(raw()) + " " + std::string(why));
}

tl::unexpected<Error> JsonField::wrong_type(std::string_view wanted) const {
  if (!present()) {
    return fail_at(path_, "is missing");
  }
  return refuse("is not " + std::string(wanted));
}

Result<std::string> JsonField::string() const {
  if (!present() || !value_->is_string()) {
    return wrong_type("a string");
  }
  return value_->get_ref<const std::string&>();
}

Result<std::string> JsonField::string_or(std::string absent) const {
  return present() ? string() : std::move(absent);
}

Result<bool> JsonField::boolean() const {
  if (!present() || !value_->is_boolean()) {
    return wrong_type("true or false");
  }
  return value_->get_ref<const bool&>();
}

Result<bool> JsonField::boolean_or(bool absent) const { return present() ? boolean() : absent; }

Result<std::int64_t> JsonField::integer(std::int64_t min, std::int64_t max) const {
  if (!present() || !value_->is_number_integer()) {
    return wrong_type("a whole number");
  }
  const bool beyond = value_->is_number_unsigned() && value_->get<std::uint64_t>() > INT64_MAX;
  const std::int64_t number = beyond ? INT64_MAX : value_->get<std::int64_t>();
  if (beyond || number < min || number > max) {
    return refuse("is not in " + std::to_string(min) + ".." + std::to_string(max));
  }
  return number;
}

Result<std::int64_t> JsonField::integer_or(std::int64_t absent, std::int64_t min, std::int64_t max) const {
  return present() ? integer(min, max) : absent;
}

Result<IpAddress> JsonField::address() const {
  HOLDFAST_TRY(const std::string text, string());
  return at_path(path_, IpAddress::parse(text));
}

Result<Cidr> JsonField::cidr() const {
  HOLDFAST_TRY(const std::string text, string());
  return at_path(path_, Cidr::parse(text));
}

Result<JsonObject> JsonField::object() const {
  if (!present() || !value_->is_object()) {
    return wrong_type("an object");
  }
  return JsonObject(value_, path_);
}

Result<JsonObject> JsonField::object_or_empty() const {
  return present() ? object() : JsonObject(nullptr, path_);
}

Result<std::vector<JsonField>> JsonField::array() const {
  if (!present() || !value_->is_array()) {
    return wrong_type("an array");
  }
  std::vector<JsonField> out;
  out.reserve(value_->size());
  for (const json& element : *value_) {
    out.emplace_back(&element, path_ + "[" + std::to_string(out.size()) + "]");
  }
  return out;
}

Result<std::vector<JsonField>> JsonField::array_or_empty() const {
  return present() ? array() : std::vector<JsonField>{};
}

Result<std::vector<std::string>> JsonField::strings_or_empty() const {
  HOLDFAST_TRY(const std::vector<JsonField> elements, array_or_empty());
  std::vector<std::string> out;
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(out.emplace_back(), element.string());
  }
  return out;
}

Result<JsonObject> JsonObject::of(const json& document) {
  if (document.is_null()) return fail(Code::kInvalidArgument, "the text is null, not an object");
  return JsonField(&document, "").object();
}

JsonObject::JsonObject(const json* value, std::string path) : value_(value), path_(std::move(path)) {}

JsonField JsonObject::operator[](std::string_view key) const {
  std::string path = path_;
  path += path.empty() ? "" : ".";
  path += key;
  if (value_ == nullptr) {
    return {nullptr, std::move(path)};
  }
  const json* found = nullptr;
  for (const auto& [name, value] : value_->get_ref<const json::object_t&>()) {
    if (name == key) {
      return {&value, std::move(path)};
    }
    if (same_but_case(name, key)) {
      found = &value;
    }
  }
  return {found, std::move(path)};
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> out;
  if (value_ != nullptr) {
    for (const auto& [name, value] : value_->get_ref<const json::object_t&>()) {
      out.push_back(name);
    }
  }
  return out;
}

}  // namespace holdfast
