#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast {

struct YamlLimits {
  std::size_t max_bytes = std::size_t{1} << 20;
  std::size_t max_depth = 32;      ///< mappings and sequences within each other
  std::size_t max_nodes = 100000;  ///< of all documents; an alias counts as all that it stands for
};

/// The documents of a YAML text (separated by ---) as JSON values; empty ones are left out. A text that
/// begins with '{' or '[' is read as one JSON text.
///
/// Plain scalars are null, true, false, whole numbers, fractions or strings by YAML 1.2's core schema:
/// 02:42:00:00:00:01 and "no" are strings. Of a key given twice the last value counts; keys are strings; tags
/// are not looked at.
/// Errors: kInvalidArgument, with line and column for a syntax error, and for a text beyond a limit.
[[nodiscard]] Result<std::vector<nlohmann::json>> parse_yaml(std::string_view text,
                                                             const YamlLimits& limits = {});

/// One document in block style, with a newline at its end. Strings stand in double quotes: to YAML 1.1 (which
/// kubectl reads) a bare MAC address of digits is a number in base 60.
[[nodiscard]] std::string dump_yaml(const nlohmann::json& value);

}  // namespace holdfast
