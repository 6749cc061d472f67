#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/cloud/http_client.h"
#include "common/cloud/metadata.h"

namespace holdfast::cloud {

/// What calls are signed with.
struct Credentials {
  std::string id;
  std::string secret;
  std::string token = {};                             ///< of credentials that end; else empty
  std::optional<std::chrono::sys_seconds> ends = {};  ///< of theirs

  bool operator==(const Credentials&) const = default;
};

/// Where credentials come from. Thread-safe.
class CredentialSource {
 public:
  CredentialSource() = default;
  CredentialSource(const CredentialSource&) = delete;
  CredentialSource& operator=(const CredentialSource&) = delete;
  virtual ~CredentialSource() = default;

  /// Errors: those of where they come from; kUnavailable when they have ended and there are no new ones.
  virtual Result<Credentials> current() = 0;
  /// The cloud did not take them: they are read again at the next call.
  virtual void doubt() = 0;
};

/// Credentials that are read again: when the cloud doubts them, when what holds them may have changed, and
/// well before they end. When that fails, the old ones serve for as long as they last.
class KeptCredentials final : public CredentialSource {
 public:
  using Read = std::function<Result<Credentials>()>;
  /// How old what is handed out may be. Kubernetes turns a Secret's files without a word.
  static constexpr std::chrono::seconds kLookAgain{30};
  /// How long before their end new ones are asked for. Metadata services have them half an hour before.
  static constexpr std::chrono::minutes kBeforeEnd{10};

  /// `clock` outlives it. `look_again` zero: only for the other two reasons.
  KeptCredentials(Read read, Clock& clock, std::chrono::seconds look_again = kLookAgain);

  Result<Credentials> current() override;
  void doubt() override;

 private:
  [[nodiscard]] bool serves() const;

  const Read read_;
  Clock& clock_;
  const std::chrono::seconds look_again_;
  std::mutex mutex_;  // guards the following
  std::optional<Credentials> kept_;
  std::chrono::nanoseconds read_at_{};
  bool doubted_ = false;
};

/// Credentials in JSON, as files hold them and metadata services answer: an object with
///
///     AccessKeyId      SecretId   TmpSecretId       required
///     AccessKeySecret  SecretKey  TmpSecretKey      required
///     SecurityToken    Token                        of credentials that end
///     Expiration       "2026-11-22T08:00:00Z"; or ExpiredTime, seconds since 1970
///     Code             of a metadata service: "Success", or they are none
///
/// Keys are compared without regard to case. Errors: kInvalidArgument, never with a secret in it.
[[nodiscard]] Result<Credentials> parse_credentials(std::string_view text);

/// Of a file in that form, which may be reached by links. Errors: as read_linked_file(), parse_credentials().
[[nodiscard]] Result<Credentials> read_credentials_file(Files& files, const std::filesystem::path& path);
/// Of a folder with one file a value, as Kubernetes mounts a Secret: access-key-id, access-key-secret,
/// security-token; or secret-id, secret-key, token. Errors: as read_linked_file(); kInvalidArgument.
[[nodiscard]] Result<Credentials> read_credentials_folder(Files& files, const std::filesystem::path& folder);

/// Those of the role that the machine has, of its metadata service at `url`. `role` empty: the one that the
/// service names. Errors: as Metadata::get(), kNotFound when the machine has no such role; as
/// parse_credentials(). Source:
/// https://www.alibabacloud.com/help/en/ecs/user-guide/attach-an-instance-ram-role-to-an-ecs-instance,
/// https://www.tencentcloud.com/document/product/213/4934
[[nodiscard]] Result<Credentials> read_role_credentials(HttpClient& http, Vendor vendor,
                                                        const std::string& url, const std::string& role);

}  // namespace holdfast::cloud
