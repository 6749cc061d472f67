#pragma once

#include <cstdint>

namespace holdfast::test {

/// Whether an ioctl(2) request changes something whatever its argument says: of interfaces, of files, of
/// block devices and what lies on them, of device-mapper.
[[nodiscard]] bool is_changing_request(std::uint64_t request);

}  // namespace holdfast::test
