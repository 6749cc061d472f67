#pragma once

#include <chrono>
#include <string>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/kube/config.h"

namespace holdfast::kube {

/// What a connection is made with, as of now. Empty: not given.
struct CredentialSet {
  std::string ca;
  std::string client_certificate;
  std::string client_key;
  std::string token;

  bool operator==(const CredentialSet&) const = default;
};

/// The credentials of a Config, read again when their files may have changed: tokens are rotated within the
/// hour, certificates within the year. Not thread-safe.
class Credentials {
 public:
  /// How old what is handed out may be.
  static constexpr std::chrono::seconds kLookAgain{10};

  /// `files` and `clock` outlive it.
  Credentials(Config config, Files& files, Clock& clock);

  /// What the files hold; what they held before when one of them cannot be read, as it is for a moment when
  /// it is replaced. Errors: those of the files, when they have never been read whole; kInvalidArgument for a
  /// token with a blank or a control character in it.
  [[nodiscard]] Result<const CredentialSet*> current();
  /// The server did not take them: the files are read at the next look.
  void doubt() { looked_ = false; }

 private:
  Result<CredentialSet> read();

  Config config_;
  Files& files_;
  Clock& clock_;
  CredentialSet set_;
  bool ever_read_ = false;
  bool looked_ = false;
  std::chrono::nanoseconds last_look_{};
};

}  // namespace holdfast::kube
