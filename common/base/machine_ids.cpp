#include "common/base/machine_ids.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace holdfast {
namespace {

constexpr std::size_t kMaxBytes = 256;

// 'x' stands for a lower-case hex digit.
constexpr std::string_view kBootIdShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
constexpr std::string_view kMachineIdShape = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

bool fits(char c, char shape) {
  return shape == 'x' ? (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') : c == shape;
}

Result<std::string> read_id(Files& files, const std::filesystem::path& path, std::string_view shape) {
  HOLDFAST_TRY(std::optional<std::string> text, files.read(path, kMaxBytes));
  if (!text) {
    return fail(Code::kNotFound, path.native() + " is missing");
  }
  if (text->ends_with('\n')) {
    text->pop_back();
  }
  if (!std::ranges::equal(*text, shape, fits)) {
    return fail(Code::kDataLoss,
                path.native() + ": '" + *text + "' is not of the form " + std::string(shape));
  }
  return *std::move(text);
}

}  // namespace

Result<std::string> read_boot_id(Files& files, const std::filesystem::path& path) {
  return read_id(files, path, kBootIdShape);
}

Result<std::string> read_machine_id(Files& files, const std::filesystem::path& path) {
  return read_id(files, path, kMachineIdShape);
}

}  // namespace holdfast
