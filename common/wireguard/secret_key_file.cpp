#include "common/wireguard/secret_key_file.h"

#include <cstddef>
#include <string>
#include <utility>

#include "common/base/linked_file.h"
#include "common/base/text.h"
#include "common/wireguard/wiped.h"

namespace holdfast::wireguard {
namespace {

constexpr std::size_t kMaxKeyBytes = 4096;

}  // namespace

Result<SecretKey> read_secret_key(Files& files, const std::filesystem::path& path) {
  HOLDFAST_TRY(std::string text, read_linked_file(files, path, kMaxKeyBytes));
  const Wiped wiped(text);
  Result<SecretKey> key = SecretKey::parse(trim(text));
  if (!key) return tl::unexpected(std::move(key).error().within(path.native()));
  return key;
}

}  // namespace holdfast::wireguard
