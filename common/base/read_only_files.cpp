#include "common/base/read_only_files.h"

namespace holdfast {
namespace {

Status refuse(const std::filesystem::path& path) {
  return fail(Code::kPermissionDenied, path.native() + " is not changed by this program");
}

}  // namespace

Result<std::optional<std::string>> ReadOnlyFiles::read(const std::filesystem::path& path,
                                                       std::size_t max_bytes) {
  return files_.read(path, max_bytes);
}
Result<std::vector<std::string>> ReadOnlyFiles::list(const std::filesystem::path& folder) {
  return files_.list(folder);
}

Status ReadOnlyFiles::create(const std::filesystem::path& path, std::string_view /*bytes*/, mode_t /*mode*/) {
  return refuse(path);
}
Status ReadOnlyFiles::append(const std::filesystem::path& path, std::string_view /*bytes*/, mode_t /*mode*/) {
  return refuse(path);
}
Status ReadOnlyFiles::overwrite(const std::filesystem::path& path, std::string_view /*bytes*/,
                                mode_t /*mode*/) {
  return refuse(path);
}
Status ReadOnlyFiles::truncate(const std::filesystem::path& path, std::size_t /*bytes*/) {
  return refuse(path);
}
Status ReadOnlyFiles::sync_file(const std::filesystem::path& /*path*/) { return {}; }
Status ReadOnlyFiles::sync_folder(const std::filesystem::path& /*folder*/) { return {}; }
Status ReadOnlyFiles::rename(const std::filesystem::path& from, const std::filesystem::path& /*to*/) {
  return refuse(from);
}
Status ReadOnlyFiles::rename_new(const std::filesystem::path& from, const std::filesystem::path& /*to*/) {
  return refuse(from);
}
Status ReadOnlyFiles::remove(const std::filesystem::path& path) { return refuse(path); }
Status ReadOnlyFiles::make_folders(const std::filesystem::path& folder, mode_t /*mode*/) {
  return refuse(folder);
}
Result<Fd> ReadOnlyFiles::lock(const std::filesystem::path& path, std::chrono::milliseconds /*patience*/) {
  return tl::unexpected(refuse(path).error());
}

}  // namespace holdfast
