#pragma once

#include <string>

#include "common/base/json.h"
#include "common/base/result.h"

namespace holdfast::kube {

/// That an object is of this kind, in whatever version of the group. Errors: kInvalidArgument, with the
/// member.
inline Status check_kind(const JsonObject& object, const std::string& kind, const std::string& group) {
  const JsonField kind_field = object["kind"];
  HOLDFAST_TRY(const std::string kind_text, kind_field.string());
  if (kind_text != kind) return kind_field.refuse("is not " + kind);
  const JsonField version = object["apiVersion"];
  HOLDFAST_TRY(const std::string version_text, version.string());
  if (!version_text.starts_with(group + "/")) {
    return version.refuse("is not a version of the group " + group);
  }
  return {};
}

}  // namespace holdfast::kube
