#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace holdfast::flannel {

/// For a message: "a, b", and of more than `most` names "a, b, c and 2 more".
[[nodiscard]] std::string name_list(std::span<const std::string> names, std::size_t most = 3);

}  // namespace holdfast::flannel
