#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/mount/mount_options.h"

namespace holdfast::nas {

/// How a share is mounted.
struct NasOptions {
  std::string vers = {};                ///< "3", "4.0", "4.1" or "4.2"; empty: not told
  std::vector<std::string> words = {};  ///< all others, sorted; of those that exclude each other the last
  std::uint16_t port = 2049;            ///< where the server's NFS answers

  [[nodiscard]] bool has(std::string_view word) const;
  /// "nolock,noresvport": the same for options that come to the same.
  [[nodiscard]] std::string text() const;
  bool operator==(const NasOptions&) const = default;
};

/// Options as mount(8) takes them for NFS, a word or a comma-separated list each. What concerns mount(8)
/// alone is dropped: bg, fg, retry, intr, defaults, _netdev, nofail, x-... Refused is what is not in
/// nfs(5), what names an address (addr, clientaddr, mounthost: the server is told elsewhere), what changes
/// what the call does (bind, remount), and transports other than TCP, by which a server is asked whether it
/// lives. Errors: kInvalidArgument naming the option.
[[nodiscard]] Result<NasOptions> parse_nas_options(std::span<const std::string> entries);

/// "3", "3.0", "4", "4.0", "4.1" or "4.2" as NasOptions has it. Errors: kInvalidArgument.
[[nodiscard]] Result<std::string> parse_version(std::string_view text);

/// Adds a word, in place of one that it excludes.
void set_word(NasOptions& options, std::string_view word);

/// Whether locks go to the server by a protocol of their own, as those of version 3 do without nolock.
[[nodiscard]] bool locks_at_server(const NasOptions& options);

/// What mount(2) takes for these options and a server's address. Source: nfs(5), linux fs/nfs/fs_context.c.
[[nodiscard]] mount::MountOptions kernel_options(const NasOptions& options, std::string_view address);

}  // namespace holdfast::nas
