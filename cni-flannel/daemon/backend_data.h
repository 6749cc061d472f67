#pragma once

#include <string>
#include <string_view>

#include "cni-flannel/daemon/node_network.h"
#include "common/base/json.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// {"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee:ff"}, to the byte: upstream finds its own MAC again by cutting this
/// text at its quotes, not as JSON.
[[nodiscard]] std::string encode_backend_data(const BackendData& data);

/// Reads that, and any JSON of the same meaning; "null" and "" are no data.
/// Errors: kInvalidArgument, naming the member.
[[nodiscard]] Result<std::optional<BackendData>> decode_backend_data(std::string_view text);
/// The same of a member of a document; absent is no data.
[[nodiscard]] Result<std::optional<BackendData>> decode_backend_data(const JsonField& field);

}  // namespace holdfast::flannel
