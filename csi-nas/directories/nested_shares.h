#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "csi-nas/directories/share_root.h"

/// Shares that lie in shares: a server exports a folder and one above it, or classes name both. Each keeps
/// the claims of its volumes in its own .holdfast (share_volumes.h), where who works on the other finds them.
/// Errors of all: errno.
namespace holdfast::nas {

/// What a volume's claim is called: a hash of its directory, 24 digits.
[[nodiscard]] std::string claim_name(std::string_view directory);

/// The claims of a share whose root is the open `folder`; nullopt where none were made, or where something
/// else is in the way. `flags` as of open(2): O_RDONLY, or O_PATH to look claims up by their names.
[[nodiscard]] Result<std::optional<Fd>> open_claims(const EntryOpener& opener, int folder, int flags);

/// Whether the open `folder` is the root of a share on which there are volumes, or were that are retained. A
/// file in `claims` that is no claim does not count, nor do claims that may not be read: who may not read
/// them cannot remove them either.
[[nodiscard]] Result<bool> has_volumes(const EntryOpener& opener, int folder);

/// The way from the open folder `top` to the root of the first share in it that has volumes, "a/b"; "" is
/// `top` itself. nullopt when there is none. Looks at each folder, as deep as a share's path may reach: a
/// descriptor and 8 KiB of names a level. What may not be read is passed over.
[[nodiscard]] Result<std::optional<std::string>> find_share_in(const EntryOpener& opener, Fd top);

}  // namespace holdfast::nas
