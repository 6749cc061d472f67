#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::test {

/// A certificate and its key, as PEM files.
struct KeyPair {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

/// Makes certificates that are good for a day, with the openssl program. Ends the test when that fails.
class Certificates {
 public:
  explicit Certificates(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// An authority that signs itself; it stands for `name` in the messages of those who do not know it.
  KeyPair authority(const std::string& name);
  /// For the subject `name`, with these alternative names ("IP:127.0.0.1"); empty: none.
  KeyPair issue(const KeyPair& authority, const std::string& name, const std::string& alternative_names);

 private:
  KeyPair make(const std::string& name, const std::vector<std::string>& more);

  std::filesystem::path folder_;
};

}  // namespace holdfast::test
