#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast {

struct JsonLimits {
  std::size_t max_bytes = std::size_t{1} << 20;
  std::size_t max_depth = 32;  ///< objects and arrays within each other
};

/// One whole JSON text. Of a key that is given twice the last value counts, as in Go's encoding/json.
/// Errors: kInvalidArgument, with line and column for a syntax error, and for a text beyond a limit.
[[nodiscard]] Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Compact text (`indent` < 0) or one indented by that many blanks. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string dump_json(const nlohmann::json& value, int indent = -1);

class JsonObject;

/// A place in a document: the value there, if there is one, and the way to it. null counts as absent, as in
/// Go. Errors name both: "ipam.ranges[0][1].subnet: '10.1/33' is not a CIDR"; a getter without `_or` on an
/// absent value answers "ipam.type: is missing". All are kInvalidArgument. Refers to the document, which must
/// outlive it and stay unchanged.
class JsonField {
 public:
  JsonField(const nlohmann::json* value, std::string path);

  [[nodiscard]] bool present() const { return value_ != nullptr; }
  /// "ipam.ranges[0]"; empty for the document itself.
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The value, or null when absent.
  [[nodiscard]] const nlohmann::json& raw() const;

  [[nodiscard]] Result<std::string> string() const;
  [[nodiscard]] Result<std::string> string_or(std::string absent) const;
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<bool> boolean_or(bool absent) const;
  /// A whole number without fraction or exponent, in [min, max].
  [[nodiscard]] Result<std::int64_t> integer(std::int64_t min, std::int64_t max) const;
  [[nodiscard]] Result<std::int64_t> integer_or(std::int64_t absent, std::int64_t min,
                                                std::int64_t max) const;
  [[nodiscard]] Result<IpAddress> address() const;
  [[nodiscard]] Result<Cidr> cidr() const;
  [[nodiscard]] Result<JsonObject> object() const;
  [[nodiscard]] Result<JsonObject> object_or_empty() const;
  [[nodiscard]] Result<std::vector<JsonField>> array() const;
  [[nodiscard]] Result<std::vector<JsonField>> array_or_empty() const;
  [[nodiscard]] Result<std::vector<std::string>> strings_or_empty() const;

  /// The error for a value that a caller cannot accept: "<path>: '<value>' <why>".
  [[nodiscard]] tl::unexpected<Error> refuse(std::string_view why) const;

 private:
  [[nodiscard]] tl::unexpected<Error> wrong_type(std::string_view wanted) const;

  const nlohmann::json* value_;  // never a JSON null
  std::string path_;
};

/// An object in a document, or an empty one.
class JsonObject {
 public:
  /// The document. Errors: kInvalidArgument when it is no object.
  [[nodiscard]] static Result<JsonObject> of(const nlohmann::json& document);
  /// `value` is an object, or nullptr for an empty one.
  JsonObject(const nlohmann::json* value, std::string path);

  /// The value under `key`, else under a key that differs in the case of ASCII letters only (of several the
  /// last in byte order), as Go's encoding/json finds it and configurations in the field rely on.
  [[nodiscard]] JsonField operator[](std::string_view key) const;
  [[nodiscard]] std::vector<std::string> keys() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const nlohmann::json* value_;
  std::string path_;
};

}  // namespace holdfast
