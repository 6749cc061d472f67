#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {

/// The list `devices` of an entry's `topology`, which names one disk at least. Errors: kInvalidArgument,
/// naming the element.
Result<std::vector<DeviceSelector>> read_devices(const JsonObject& topology);

/// A text that may stand without quotes where YAML takes it for something else: true, 1. Errors:
/// kInvalidArgument for a fraction, whose text (1.10) is lost, and for a list.
Result<std::string> plain_text(const JsonField& field);

/// The error for a configuration that cannot be used.
[[nodiscard]] tl::unexpected<Error> refuse(std::string message);

/// For people, of what somebody wrote: 'text', printable and cut off where it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// In lower case, of ASCII letters.
[[nodiscard]] std::string lower(std::string_view text);

}  // namespace holdfast::nrm
