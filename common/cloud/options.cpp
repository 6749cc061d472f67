#include "common/cloud/options.h"

#include <filesystem>
#include <system_error>

namespace holdfast::cloud {
namespace {

constexpr std::string_view kRole = "role";

Status set_endpoint(const std::string& value, std::string& into) {
  const bool known = value.starts_with("https://") || value.starts_with("http://");
  if (!known) return fail(Code::kInvalidArgument, "is not https://HOST");
  into = value.substr(0, value.find_last_not_of('/') + 1);
  return {};
}

Status set_credentials(const std::string& value, std::string& into) {
  const bool role = value == kRole || value.starts_with("role:");
  if (!role && !value.starts_with('/')) {
    return fail(Code::kInvalidArgument, "is neither a path that begins with '/' nor role or role:NAME");
  }
  into = value;
  return {};
}

std::string role_of(const std::string& credentials) {
  const std::size_t colon = credentials.find(':');
  return colon == std::string::npos ? "" : credentials.substr(colon + 1);
}

}  // namespace

void add_cloud_flags(Flags& flags, CloudOptions& into) {
  flags.text("cloud-region", "REGION", "the cloud's API is called, for this region of it [it is not]",
             into.region);
  flags.value("cloud-endpoint", "URL", "where it is called [where the region has it]",
              [&into](const std::string& value) { return set_endpoint(value, into.endpoint); });
  flags.value("cloud-credentials", "FILE|FOLDER|role[:NAME]",
              "a file in JSON, a mounted Secret, or the role that the cloud gave this machine [role]",
              [&into](const std::string& value) { return set_credentials(value, into.credentials); });
}

std::unique_ptr<CredentialSource> make_credentials(const CloudOptions& options, Vendor vendor, Files& files,
                                                   HttpClient& http, Clock& clock) {
  const std::string& from = options.credentials;
  if (from.empty() || from.starts_with(kRole)) {
    return std::make_unique<KeptCredentials>(
        [vendor, &http, role = role_of(from)] {
          return read_role_credentials(http, vendor, std::string(metadata_url(vendor)), role);
        },
        clock, std::chrono::seconds(0));
  }
  return std::make_unique<KeptCredentials>(
      [&files, path = std::filesystem::path(from)] {
        std::error_code error;
        const bool folder = std::filesystem::is_directory(path, error);
        return folder ? read_credentials_folder(files, path) : read_credentials_file(files, path);
      },
      clock);
}

}  // namespace holdfast::cloud
