#include "common/base/secrecy.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace holdfast {
namespace {

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  const unsigned bits = mode & 07777U;
  std::snprintf(text.data(), text.size(), "%04o", bits);
  return text.data();
}

}  // namespace

std::string exposure_of(const std::filesystem::path& secret_file) {
  struct stat there {};
  if (secret_file.empty() || ::stat(secret_file.c_str(), &there) != 0) return "";
  const bool own_group = there.st_gid == ::getegid();
  const mode_t others = own_group ? S_IRWXO : S_IRWXG | S_IRWXO;
  if ((there.st_mode & others & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)) == 0) return "";
  return secret_file.native() + " has mode " + octal(there.st_mode) +
         ": others than its owner get at the secret; run chmod 600, or let the Secret's volume have "
         "defaultMode 0400";
}

void keep_memory_private() { static_cast<void>(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)); }

}  // namespace holdfast
