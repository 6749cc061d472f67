#include "common/block/mkfs_options.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <span>

#include "common/base/text.h"

namespace holdfast::block {
namespace {

enum class Value : std::uint8_t {
  kNone,
  kNumber,    // digits, and a fraction, from `least` to `most`
  kOneOf,     // one of the rule's list
  kLabel,     // letters, digits, '.', '_', '-'
  kFeatures,  // has_journal,^metadata_csum, each in the rule's list
  kKeys,      // key=number, with k, m or g behind it, or key, comma-separated, each key in the rule's list
};

struct Rule {
  char letter;
  Value value;
  std::string_view words = {};  // " word word "
  double least = 0;
  double most = 0;
};

// In lower case alone: mke2fs also takes capitals and FEATURE_I3, a number that may be any feature. Left out
// is what makes no file system or one that the kernel may not mount (journal_dev, encrypt, casefold, verity),
// and what puts superblocks elsewhere (bigalloc, meta_bg, sparse_super2, none of sparse_super).
constexpr std::string_view kExtFeatures =
    " 64bit dir_index dir_nlink ea_inode ext_attr extent extents extra_isize fast_commit filetype flex_bg "
    "has_journal huge_file inline_data large_dir large_file metadata_csum metadata_csum_seed mmp orphan_file "
    "project quota resize_inode stable_inodes uninit_bg ";

// With others, or without its journal, it is none that is mounted as ext3.
constexpr std::string_view kExt3Features = " dir_index ext_attr filetype large_file resize_inode ";

constexpr Rule kExtRules[] = {
    {'b', Value::kOneOf, " 1024 2048 4096 "},  // a kernel mounts none that is larger than its pages
    {'D', Value::kNone},
    {'E', Value::kKeys,
     " stride stripe_width stripe-width resize lazy_itable_init lazy_journal_init discard nodiscard "
     "packed_meta_blocks mmp_update_interval "},
    {'G', Value::kNumber, {}, 1, 1 << 20},
    {'i', Value::kNumber, {}, 1024, 1 << 26},
    {'I', Value::kOneOf, " 128 256 512 1024 2048 4096 "},
    {'j', Value::kNone},
    {'J', Value::kKeys, " size "},
    {'K', Value::kNone},
    {'L', Value::kLabel},
    {'m', Value::kNumber, {}, 0, 50},
    {'N', Value::kNumber, {}, 1, 4294967295.0},
    {'O', Value::kFeatures, kExtFeatures},
    {'q', Value::kNone},
    {'T', Value::kOneOf, " small floppy big huge news largefile largefile4 "},
};

// agsize and other blocks would put groups where the blank proof does not look (proof_places.h).
constexpr Rule kXfsRules[] = {
    {'b', Value::kOneOf, " size=4096 size=4k log=12 "},
    {'d', Value::kKeys,
     " agcount=4 agcount=8 agcount=16 agcount=32 su sw sunit swidth noalign rtinherit cowextsize "
     "extszinherit "},
    {'i', Value::kKeys, " align attr log maxpct perblock projid32bit size sparse nrext64 "},
    {'K', Value::kNone},
    {'l', Value::kKeys, " internal size version su sunit lazy-count agnum "},
    {'L', Value::kLabel},
    {'m', Value::kKeys, " bigtime crc finobt inobtcount reflink rmapbt "},
    {'n', Value::kKeys, " ftype log size version "},
    {'q', Value::kNone},
    {'s', Value::kOneOf,
     " size=512 size=1024 size=2048 size=4096 size=1k size=2k size=4k log=9 log=10 log=11 log=12 "},
};

constexpr Rule kVfatRules[] = {
    {'a', Value::kNone},
    {'f', Value::kNumber, {}, 1, 4},
    {'F', Value::kOneOf, " 12 16 32 "},
    {'n', Value::kLabel},
    {'r', Value::kNumber, {}, 1, 65535},
    {'R', Value::kNumber, {}, 1, 65535},
    {'s', Value::kOneOf, " 1 2 4 8 16 32 64 128 "},
    {'S', Value::kOneOf, " 512 1024 2048 4096 "},
};

std::span<const Rule> rules_of(FsType type) {
  switch (type) {
    case FsType::kXfs:
      return kXfsRules;
    case FsType::kVfat:
      return kVfatRules;
    case FsType::kExt3:
    case FsType::kExt4:
      break;
  }
  return kExtRules;
}

bool consists_of(std::string_view text, std::string_view extra) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || extra.find(c) != std::string_view::npos;
  });
}

bool listed(std::string_view words, std::string_view word) {
  return !word.empty() && words.find(" " + std::string(word) + " ") != std::string_view::npos;
}

bool all_parts(std::string_view text, bool (*fits)(std::string_view part, std::string_view words),
               std::string_view words) {
  if (text.empty() || text.ends_with(',')) return false;
  while (!text.empty()) {
    if (!fits(take_until(text, ','), words)) return false;
  }
  return true;
}

// "16", "64k".
bool is_amount(std::string_view text) {
  if (text.size() > 1 && std::string_view("kmg").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// A list has a key, or a key with the one value that it may have.
bool key_fits(std::string_view part, std::string_view words) {
  if (listed(words, part)) return true;
  const std::string_view key = take_until(part, '=');
  return listed(words, key) && is_amount(part);
}

bool feature_fits(std::string_view part, std::string_view words) {
  if (part.starts_with('^')) part.remove_prefix(1);
  return listed(words, part);
}

bool number_fits(std::string_view text, double least, double most) {
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return consists_of(text, ".") && read.ec == std::errc{} && read.ptr == text.data() + text.size() &&
         number >= least && number <= most;
}

bool value_fits(const Rule& rule, FsType type, std::string_view value) {
  switch (rule.value) {
    case Value::kNone:
      return value.empty();
    case Value::kNumber:
      return number_fits(value, rule.least, rule.most);
    case Value::kOneOf:
      return listed(rule.words, value);
    case Value::kLabel:
      return consists_of(value, "._-") && value.front() != '-' && value.size() <= 16;
    case Value::kFeatures:
      return all_parts(value, feature_fits, type == FsType::kExt3 ? kExt3Features : rule.words);
    case Value::kKeys:
      return all_parts(value, key_fits, rule.words);
  }
  return false;
}

}  // namespace

std::string_view to_string(FsType type) {
  switch (type) {
    case FsType::kExt3:
      return "ext3";
    case FsType::kExt4:
      return "ext4";
    case FsType::kXfs:
      return "xfs";
    case FsType::kVfat:
      break;
  }
  return "vfat";
}

Result<FsType> parse_fs_type(std::string_view text) {
  if (text.empty()) return FsType::kExt4;
  for (const FsType type : {FsType::kExt3, FsType::kExt4, FsType::kXfs, FsType::kVfat}) {
    if (text == to_string(type)) return type;
  }
  return fail(Code::kInvalidArgument,
              "fsType '" + std::string(text) + "' is not supported; ext4, ext3, xfs and vfat are");
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n\v\f"), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

Status check_mkfs_options(FsType type, const std::vector<std::string>& words) {
  const std::span<const Rule> rules = rules_of(type);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const auto rule =
        word.size() < 2 || word[0] != '-' ? rules.end() : std::ranges::find(rules, word[1], &Rule::letter);
    if (rule == rules.end()) {
      return fail(Code::kInvalidArgument, "mkfsOptions: '" + std::string(word) + "' is not allowed for " +
                                              std::string(to_string(type)));
    }
    std::string_view value = word.substr(2);
    if (value.empty() && rule->value != Value::kNone && i + 1 < words.size()) value = words[++i];
    if (!value_fits(*rule, type, value)) {
      return fail(Code::kInvalidArgument, "mkfsOptions: '" + std::string(word.substr(0, 2)) + ' ' +
                                              std::string(value) + "' is not allowed for " +
                                              std::string(to_string(type)));
    }
  }
  return {};
}

}  // namespace holdfast::block
