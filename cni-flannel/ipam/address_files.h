#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Who holds an address, as its file says.
struct FileOwner {
  std::string container_id;
  std::string ifname;  ///< empty in files of host-local before 0.7, which wrote the id alone

  /// Whether the file belongs to this attachment, by host-local's rule for legacy content.
  [[nodiscard]] bool is(std::string_view id, std::string_view interface) const {
    return container_id == id && (ifname.empty() || ifname == interface);
  }
  auto operator<=>(const FileOwner&) const = default;
};

/// "<containerID>\r\n<ifname>", or the id alone; white space around it is ignored, as upstream does.
/// nullopt when it is neither: an empty or torn file.
[[nodiscard]] std::optional<FileOwner> parse_owner(std::string_view content);
[[nodiscard]] std::string format_owner(const FileOwner& owner);

/// The folder of one network in host-local's layout:
///
///     <data_dir>/<network>/            0755
///         lock                         flock LOCK_EX around every change
///         10.244.3.7                   0600, "<containerID>\r\n<ifname>"; the address in its shortest form
///         last_reserved_ip.<set>       the address given last from range set <set>
///         .claim-<boot>-<random>       ours: an address file without address yet; upstream passes over it
///
/// Upstream makes an address file and then writes it, so a crash leaves it empty. Here a claim is written and
/// made durable first and then renamed, so that the file of an address is whole from the beginning. As a
/// claim's content does not depend on the address it is made before the lock is taken. <boot> is a checksum
/// of the boot id: a claim of another boot is surely nobody's.
///
/// Every call but lock and make_claim needs the lock. Not durable, on purpose, are the names: after a power
/// cut every owner is dead.
class AddressFiles {
 public:
  static constexpr std::chrono::milliseconds kLockPatience{30'000};

  struct Listing {
    std::vector<IpAddress> in_use;    ///< sorted
    std::vector<std::string> claims;  ///< names
    std::vector<std::string> other;   ///< names, without "lock" and last_reserved_ip.*
  };

  /// Holds the reference.
  AddressFiles(Files& files, std::filesystem::path folder);

  /// Makes the folder when `make` is set and it is absent; else an absent folder is nullopt.
  /// Errors: kUnavailable when it is held for longer than kLockPatience.
  Result<std::optional<Fd>> lock(bool make);
  Result<Listing> list();
  /// nullopt when the address has no file. A file longer than any owner's is empty content, thus torn.
  Result<std::optional<std::string>> content(const IpAddress& address);

  /// A durable file with the owner's content and without an address; the claim's name.
  Result<std::string> make_claim(const FileOwner& owner, std::string_view boot_id);
  /// Gives a claim its address. A claim that has gone (a GC beside this ADD) is made again first.
  /// Errors: kAlreadyExists when the address has a file.
  Status take(const IpAddress& address, const std::string& claim, const FileOwner& owner);
  Status drop_claim(const std::string& claim);
  [[nodiscard]] static bool is_claim_of(std::string_view name, std::string_view boot_id);
  Result<std::optional<FileOwner>> claim_owner(const std::string& claim);

  Status remove(const IpAddress& address);

  /// nullopt when there is none, or none that can be read: then host-local starts at the beginning too.
  std::optional<IpAddress> last_reserved(std::size_t set);
  Status set_last_reserved(std::size_t set, const IpAddress& address);

 private:
  Status write_claim(const std::string& claim, const FileOwner& owner);

  Files& files_;
  std::filesystem::path folder_;
};

}  // namespace holdfast::flannel
