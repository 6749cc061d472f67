#pragma once

#include <filesystem>
#include <string>

namespace holdfast {

/// Who, beside its owner and the group of this process, may read or change a file that holds a secret, with
/// the cure; empty: nobody. Also empty for an empty path, and for one that cannot be looked at: reading it
/// tells why. Symbolic links are followed, as of files that kubelet mounts into pods.
[[nodiscard]] std::string exposure_of(const std::filesystem::path& secret_file);

/// For a process that holds secrets: it leaves no core dump, and other processes of its user cannot look into
/// its memory. Programs that it runs are not concerned. Source: PR_SET_DUMPABLE of prctl(2).
void keep_memory_private();

}  // namespace holdfast
