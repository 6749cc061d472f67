#include <algorithm>

#include "common/base/sha.h"
#include "csi-nas/directories/folder_entries.h"
#include "csi-nas/directories/share_volumes.h"

// What archived volumes are called, and how one is found again.
namespace holdfast::nas {
namespace {

constexpr std::string_view kPrefix = "archived-";
constexpr std::string_view kStampForm = "00000000T000000Z";
constexpr std::size_t kMostOfNumber = 11;  // "-4294967295"
constexpr std::size_t kHashDigits = 12;
constexpr std::size_t kMostOfName = kMaxNameBytes - kPrefix.size() - 1 - kStampForm.size() - kMostOfNumber;

// "archived-pvc-1-"
std::string prefix_of(const std::string& name) {
  std::string out(kPrefix);
  if (name.size() <= kMostOfName) {
    out += name;
  } else {
    out += name.substr(0, kMostOfName - kHashDigits - 1);
    out += '-';
    out += sha512_hex(name).substr(0, kHashDigits);
  }
  return out + "-";
}

bool is_digit(char each) { return each >= '0' && each <= '9'; }

// Whether it is what follows the prefix: a stamp, and a number or none.
bool is_stamp(std::string_view text) {
  if (text.size() < kStampForm.size()) return false;
  for (std::size_t i = 0; i < kStampForm.size(); ++i) {
    if (kStampForm[i] == '0' ? !is_digit(text[i]) : text[i] != kStampForm[i]) return false;
  }
  const std::string_view number = text.substr(kStampForm.size());
  return number.empty() || (number.size() > 1 && number.size() <= kMostOfNumber && number.front() == '-' &&
                            std::all_of(number.begin() + 1, number.end(), is_digit));
}

// Later stamps are greater, and of one stamp greater numbers.
bool is_newer(std::string_view one, std::string_view other) {
  const std::string_view stamp = one.substr(0, kStampForm.size());
  const std::string_view other_stamp = other.substr(0, kStampForm.size());
  if (stamp != other_stamp) return stamp > other_stamp;
  return one.size() != other.size() ? one.size() > other.size() : one > other;
}

}  // namespace

std::string archive_name(const std::string& name, const std::string& stamp, unsigned number) {
  const std::string first = prefix_of(name) + stamp;
  return number == 0 ? first : first + "-" + std::to_string(number);
}

Result<std::string> ShareVolumes::newest_archive(const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(directory.parent()));
  if (!parent) return std::string();
  const std::string prefix = prefix_of(directory.name());
  std::string newest;
  FolderReader reader;
  HOLDFAST_CHECK(reader.begin(parent->get()));
  for (;;) {
    HOLDFAST_TRY(const std::optional<FolderEntry> entry, reader.next());
    if (!entry) break;
    if (!entry->name.starts_with(prefix)) continue;
    const std::string_view stamp = entry->name.substr(prefix.size());
    if (is_stamp(stamp) && (newest.empty() || is_newer(stamp, newest))) newest = stamp;
  }
  if (newest.empty()) return std::string();
  const std::string above = directory.parent().empty() ? "" : directory.parent() + "/";
  return above + prefix + newest;
}

}  // namespace holdfast::nas
