#include "common/block/mkfs_options.h"

#include <algorithm>
#include <cctype>
#include <span>

#include "common/base/text.h"

namespace holdfast::block {
namespace {

enum class Value : std::uint8_t {
  kNone,
  kNumber,    // 4096, 64k, 0.5
  kLabel,     // letters, digits, '.', '_', '-'
  kFeatures,  // has_journal,^metadata_csum
  kKeys,      // key=number or key, comma-separated, each key in the rule's list
};

struct Rule {
  char letter;
  Value value;
  std::string_view keys = {};  // of kKeys: " key key "; of kFeatures: those that are refused
};

constexpr Rule kExtRules[] = {
    {'b', Value::kNumber},
    {'D', Value::kNone},
    {'E', Value::kKeys,
     " stride stripe_width stripe-width resize lazy_itable_init lazy_journal_init discard nodiscard "
     "packed_meta_blocks "
     "num_backup_sb mmp_update_interval "},
    {'G', Value::kNumber},
    {'i', Value::kNumber},
    {'I', Value::kNumber},
    {'j', Value::kNone},
    {'J', Value::kKeys, " size "},
    {'K', Value::kNone},
    {'L', Value::kLabel},
    {'m', Value::kNumber},
    {'N', Value::kNumber},
    {'O', Value::kFeatures, " bigalloc meta_bg journal_dev encrypt casefold "},
    {'q', Value::kNone},
    {'T', Value::kLabel},
};

constexpr Rule kXfsRules[] = {
    {'b', Value::kKeys, " size log "},
    {'d', Value::kKeys, " agcount agsize su sw sunit swidth noalign rtinherit cowextsize extszinherit "},
    {'i', Value::kKeys, " align attr log maxpct perblock projid32bit size sparse nrext64 "},
    {'K', Value::kNone},
    {'l', Value::kKeys, " internal size version su sunit lazy-count agnum "},
    {'L', Value::kLabel},
    {'m', Value::kKeys, " bigtime crc finobt inobtcount reflink rmapbt "},
    {'n', Value::kKeys, " ftype log size version "},
    {'q', Value::kNone},
    {'s', Value::kKeys, " log size "},
};

constexpr Rule kVfatRules[] = {
    {'a', Value::kNone},   {'f', Value::kNumber}, {'F', Value::kNumber}, {'n', Value::kLabel},
    {'r', Value::kNumber}, {'R', Value::kNumber}, {'s', Value::kNumber}, {'S', Value::kNumber},
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

bool listed(std::string_view keys, std::string_view key) {
  return keys.find(" " + std::string(key) + " ") != std::string_view::npos;
}

bool all_parts(std::string_view text, bool (*fits)(std::string_view part, std::string_view keys),
               std::string_view keys) {
  if (text.empty() || text.ends_with(',')) return false;
  while (!text.empty()) {
    if (!fits(take_until(text, ','), keys)) return false;
  }
  return true;
}

bool key_fits(std::string_view part, std::string_view keys) {
  const std::string_view key = take_until(part, '=');
  return !key.empty() && listed(keys, key) && (part.empty() || consists_of(part, "."));
}

bool feature_fits(std::string_view part, std::string_view refused) {
  const bool off = part.starts_with('^');
  if (off) part.remove_prefix(1);
  return consists_of(part, "_") && (off || !listed(refused, part));
}

bool value_fits(const Rule& rule, std::string_view value) {
  switch (rule.value) {
    case Value::kNone:
      return value.empty();
    case Value::kNumber:
      return consists_of(value, ".") && std::isdigit(static_cast<unsigned char>(value.front())) != 0;
    case Value::kLabel:
      return consists_of(value, "._-") && value.front() != '-' && value.size() <= 16;
    case Value::kFeatures:
      return all_parts(value, feature_fits, rule.keys);
    case Value::kKeys:
      return all_parts(value, key_fits, rule.keys);
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
    if (!value_fits(*rule, value)) {
      return fail(Code::kInvalidArgument, "mkfsOptions: '" + std::string(word.substr(0, 2)) + ' ' +
                                              std::string(value) + "' is not allowed for " +
                                              std::string(to_string(type)));
    }
  }
  return {};
}

}  // namespace holdfast::block
