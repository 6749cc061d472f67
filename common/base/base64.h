#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

/// The bytes of a text in base64, standard alphabet with padding; blanks and line ends between are skipped.
/// Errors: kInvalidArgument. Source: RFC 4648 section 4.
[[nodiscard]] Result<std::string> decode_base64(std::string_view text);

/// The other way round: with padding, without line ends.
[[nodiscard]] std::string encode_base64(std::string_view bytes);

}  // namespace holdfast
