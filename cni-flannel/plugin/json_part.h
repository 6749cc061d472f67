#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::cni {

/// A value inside a parsed JSON document, or null when the document has none there. Every part keeps its
/// whole document alive (shared_ptr's aliasing constructor), so that a configuration is parsed once and its
/// sections are handed around without copies. That is why this is shared; a document is never changed once
/// parsed.
using JsonPart = std::shared_ptr<const nlohmann::json>;

/// Errors: kInvalidArgument, "<what>: <where and why>", within the limits of common/base/json.h.
[[nodiscard]] Result<JsonPart> parse_document(std::string_view text, std::string_view what);

/// The member of an object, found as Go's encoding/json does: as written, else in any case. Null when
/// `object` is null or no object, when it has no such member, and when the member is JSON null.
[[nodiscard]] JsonPart member(const JsonPart& object, std::string_view name);

/// Without white space; "null" for a null part. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string to_text(const JsonPart& part);

/// `object` with the member `name` put in place of what it has under that name, in any case; null removes it.
[[nodiscard]] JsonPart with_member(const JsonPart& object, std::string_view name, const JsonPart& value);

}  // namespace holdfast::cni
