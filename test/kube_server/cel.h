#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::test {

/// The value of an expression of CEL (Common Expression Language), in which admission policies and the rules
/// of CustomResourceDefinitions are written; `names` are the identifiers that it may use.
///
/// Understood is what our manifests need: literals (text, whole numbers, true, false, null, lists), members,
/// [], has(), in, ! && || == != < <= > >= ?:, size(), startsWith(), endsWith(), contains(), and the macros
/// all() and exists() on lists. As in CEL, && and || answer by one side alone where that decides, whatever
/// error the other side has; of ?: only the side that is chosen is looked at. Types are told apart when an
/// expression is run, where a real server refuses some expressions when they are written down.
/// Errors: kInvalidArgument for what is not understood; kFailedPrecondition for what has no value, such as a
/// member that is not there.
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md
[[nodiscard]] Result<nlohmann::json> evaluate_cel(std::string_view expression, const nlohmann::json& names);

}  // namespace holdfast::test
