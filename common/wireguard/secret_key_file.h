#pragma once

#include <filesystem>

#include "common/base/files.h"
#include "common/wireguard/key.h"

namespace holdfast::wireguard {

/// A private key from a file with nothing else in it, as wg(8) writes it; also by links, as kubelet mounts
/// it. Errors: those of read_linked_file() and of SecretKey::parse(), naming the file and not what is in it.
[[nodiscard]] Result<SecretKey> read_secret_key(Files& files, const std::filesystem::path& path);

}  // namespace holdfast::wireguard
