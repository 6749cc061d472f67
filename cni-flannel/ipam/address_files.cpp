#include "cni-flannel/ipam/address_files.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <utility>

#include "cni-flannel/ipam/identifier.h"
#include "common/base/checksum.h"
#include "common/base/link_name.h"
#include "common/base/text.h"

namespace holdfast::flannel {
namespace {

// An id has 64 characters as a rule; the specification sets no limit, a file name does.
constexpr std::size_t kLongestOwner = 4096;
constexpr std::size_t kLongestAddress = 64;
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0755;
constexpr std::string_view kLockName = "lock";
constexpr std::string_view kLastReserved = "last_reserved_ip.";
constexpr std::string_view kClaim = ".claim-";
constexpr std::string_view kSeparator = "\r\n";

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), value, 16).ptr;
  return {digits.begin(), end};
}

std::string claim_prefix(std::string_view boot_id) {
  return std::string(kClaim) + hex(crc32c(boot_id)) + "-";
}

std::string new_claim_name(std::string_view boot_id) {
  // Not std::random_device, which asks the processor what it can (CPUID), and a virtual one is slow to
  // answer.
  std::uint64_t value = 0;
  static_cast<void>(::getrandom(&value, sizeof value, 0));  // 8 bytes are never cut short, random(7)
  return claim_prefix(boot_id) + hex(value);
}

std::optional<IpAddress> address_named(const std::string& name) {
  auto address = IpAddress::parse(name);
  if (!address || address->to_string() != name) {
    return std::nullopt;
  }
  return *address;
}

}  // namespace

std::optional<FileOwner> parse_owner(std::string_view content) {
  const std::string_view text = trim(content);
  const std::size_t split = text.find(kSeparator);
  const std::string_view id = text.substr(0, split);
  if (!is_identifier(id)) {
    return std::nullopt;
  }
  if (split == std::string_view::npos) {
    return FileOwner{std::string(id), ""};
  }
  const std::string_view ifname = text.substr(split + kSeparator.size());
  if (!fault_of_link_name(ifname).empty()) {
    return std::nullopt;
  }
  return FileOwner{std::string(id), std::string(ifname)};
}

std::string format_owner(const FileOwner& owner) {
  return owner.ifname.empty() ? owner.container_id
                              : owner.container_id + std::string(kSeparator) + owner.ifname;
}

AddressFiles::AddressFiles(Files& files, std::filesystem::path folder)
    : files_(files), folder_(std::move(folder)) {}

Result<std::optional<Fd>> AddressFiles::lock(bool make) {
  auto held = files_.lock(folder_ / kLockName, kLockPatience);
  if (!held && held.error().code == Code::kNotFound) {
    if (!make) {
      return std::nullopt;
    }
    HOLDFAST_CHECK(files_.make_folders(folder_, kFolderMode));
    held = files_.lock(folder_ / kLockName, kLockPatience);
  }
  HOLDFAST_TRY(Fd fd, std::move(held));
  return fd;
}

Result<AddressFiles::Listing> AddressFiles::list() {
  HOLDFAST_TRY(const std::vector<std::string> names, files_.list(folder_));
  Listing listing;
  listing.in_use.reserve(names.size());
  for (const std::string& name : names) {
    if (const auto address = address_named(name)) {
      listing.in_use.push_back(*address);
    } else if (name.starts_with(kClaim)) {
      listing.claims.push_back(name);
    } else if (name != kLockName && !name.starts_with(kLastReserved)) {
      listing.other.push_back(name);
    }
  }
  std::ranges::sort(listing.in_use);
  return listing;
}

Result<std::optional<std::string>> AddressFiles::content(const IpAddress& address) {
  auto bytes = files_.read(folder_ / address.to_string(), kLongestOwner);
  if (!bytes && bytes.error().code == Code::kFailedPrecondition) {
    return std::string();
  }
  return bytes;
}

Status AddressFiles::write_claim(const std::string& claim, const FileOwner& owner) {
  const std::filesystem::path path = folder_ / claim;
  HOLDFAST_CHECK(files_.create(path, format_owner(owner), kFileMode));
  if (Status synced = files_.sync_file(path); !synced) {
    static_cast<void>(files_.remove(path));
    return synced;
  }
  return {};
}

Result<std::string> AddressFiles::make_claim(const FileOwner& owner, std::string_view boot_id) {
  std::string claim = new_claim_name(boot_id);
  Status made = write_claim(claim, owner);
  if (!made && made.error().code == Code::kNotFound) {
    HOLDFAST_CHECK(files_.make_folders(folder_, kFolderMode));
    made = write_claim(claim, owner);
  }
  HOLDFAST_CHECK(made);
  return claim;
}

Status AddressFiles::take(const IpAddress& address, const std::string& claim, const FileOwner& owner) {
  const std::filesystem::path path = folder_ / address.to_string();
  Status taken = files_.rename_new(folder_ / claim, path);
  if (!taken && taken.error().code == Code::kNotFound) {
    HOLDFAST_CHECK(write_claim(claim, owner));
    taken = files_.rename_new(folder_ / claim, path);
  }
  return taken;
}

Status AddressFiles::drop_claim(const std::string& claim) { return files_.remove(folder_ / claim); }

bool AddressFiles::is_claim_of(std::string_view name, std::string_view boot_id) {
  return name.starts_with(claim_prefix(boot_id));
}

Result<std::optional<FileOwner>> AddressFiles::claim_owner(const std::string& claim) {
  HOLDFAST_TRY(const auto bytes, files_.read(folder_ / claim, kLongestOwner));
  return bytes ? parse_owner(*bytes) : std::nullopt;
}

Status AddressFiles::remove(const IpAddress& address) { return files_.remove(folder_ / address.to_string()); }

std::optional<IpAddress> AddressFiles::last_reserved(std::size_t set) {
  const auto bytes =
      files_.read(folder_ / (std::string(kLastReserved) + std::to_string(set)), kLongestAddress);
  if (!bytes || !*bytes) {
    return std::nullopt;
  }
  const auto address = IpAddress::parse(trim(**bytes));
  return address ? std::optional(*address) : std::nullopt;
}

// In place: a hint of where to go on may be torn, and the lock keeps readers away.
Status AddressFiles::set_last_reserved(std::size_t set, const IpAddress& address) {
  return files_.overwrite(folder_ / (std::string(kLastReserved) + std::to_string(set)), address.to_string(),
                          kFileMode);
}

}  // namespace holdfast::flannel
