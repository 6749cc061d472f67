#include "common/base/linked_file.h"

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace holdfast {

Result<std::string> read_linked_file(Files& files, const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  if (error) {
    return fail_errno(error.value(), "read " + path.string());
  }
  HOLDFAST_TRY(std::optional<std::string> content, files.read(real, max_bytes));
  if (!content) {
    return fail_errno(ENOENT, "read " + path.string());  // the link was turned in between
  }
  return *std::move(content);
}

}  // namespace holdfast
