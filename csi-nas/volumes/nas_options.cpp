#include "csi-nas/volumes/nas_options.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <utility>

#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kMostShownBytes = 80;

// A word without a value. Of those of one group the last counts; `none`: it says what holds anyhow, so that
// only its group's others are taken out.
struct Word {
  std::string_view word;
  std::string_view group;
  bool none = false;
};

constexpr Word kWords[] = {
    {"ro", "rw"},
    {"rw", "rw", true},
    {"nosuid", "suid"},
    {"suid", "suid", true},
    {"nodev", "dev"},
    {"dev", "dev", true},
    {"noexec", "exec"},
    {"exec", "exec", true},
    {"sync", "sync"},
    {"async", "sync", true},
    {"noatime", "atime"},
    {"relatime", "atime"},
    {"strictatime", "atime"},
    {"atime", "atime", true},
    {"nodiratime", "diratime"},
    {"diratime", "diratime", true},
    {"hard", "hard", true},
    {"soft", "hard"},
    {"softerr", "hard"},
    {"softreval", "softreval"},
    {"nosoftreval", "softreval", true},
    {"lock", "lock", true},
    {"nolock", "lock"},
    {"ac", "ac", true},
    {"noac", "ac"},
    {"cto", "cto", true},
    {"nocto", "cto"},
    {"acl", "acl", true},
    {"noacl", "acl"},
    {"rdirplus", "rdirplus", true},
    {"nordirplus", "rdirplus"},
    {"resvport", "resvport", true},
    {"noresvport", "resvport"},
    {"sharecache", "sharecache", true},
    {"nosharecache", "sharecache"},
    {"fsc", "fsc"},
    {"nofsc", "fsc", true},
    {"migration", "migration"},
    {"nomigration", "migration", true},
};

// For mount(8) alone, without any effect in kernels of today, or what we do anyhow: TCP, of the family that
// the server's address has.
constexpr std::string_view kDropped[] = {
    "tcp",  "proto=tcp", "proto=tcp6", "mountproto=tcp", "mountproto=tcp6", "bg",
    "fg",   "intr",      "nointr",     "defaults",       "_netdev",         "nofail",
    "auto", "noauto",    "nouser",     "silent"};

// In what bounds the kernel takes them; of others it refuses all options, and says of none. What rsize and
// wsize are beyond what can be, it brings there. Source: linux fs/nfs/fs_context.c,
// nfs_fs_context_parse_param.
struct Number {
  std::string_view name;
  std::uint32_t least;
  std::uint32_t most;
};
constexpr std::uint32_t kAny = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t kMostInt = std::numeric_limits<std::int32_t>::max();
constexpr std::uint32_t kMostPort = std::numeric_limits<std::uint16_t>::max();
constexpr Number kNumbers[] = {
    {"rsize", 0, kAny},    {"wsize", 0, kAny},          {"timeo", 1, kMostInt}, {"retrans", 0, kMostInt},
    {"acregmin", 0, kAny}, {"acregmax", 0, kAny},       {"acdirmin", 0, kAny},  {"acdirmax", 0, kAny},
    {"actimeo", 0, kAny},  {"nconnect", 1, 16},         {"max_connect", 1, 16}, {"port", 1, kMostPort},
    {"mountvers", 1, 3},   {"mountport", 0, kMostPort},
};

struct Choice {
  std::string_view name;
  std::string_view values;  // between blanks
};
constexpr Choice kChoices[] = {
    {"sec", " sys none krb5 krb5i krb5p "},
    {"lookupcache", " all none pos positive "},
    {"local_lock", " all none flock posix "},
    {"write", " lazy eager wait "},
};

struct Flag {
  std::string_view word;
  unsigned long flag;
};
constexpr Flag kFlags[] = {
    {"ro", MS_RDONLY},         {"nosuid", MS_NOSUID},           {"nodev", MS_NODEV},
    {"noexec", MS_NOEXEC},     {"sync", MS_SYNCHRONOUS},        {"noatime", MS_NOATIME},
    {"relatime", MS_RELATIME}, {"strictatime", MS_STRICTATIME}, {"nodiratime", MS_NODIRATIME},
};

tl::unexpected<Error> refused(std::string_view option, std::string_view why) {
  return fail(Code::kInvalidArgument,
              "mount option '" + printable(option, kMostShownBytes) + "' " + std::string(why));
}

std::string_view name_of(std::string_view word) { return take_until(word, '='); }

// What excludes it: its group, or for one with a value its name.
std::string_view group_of(std::string_view word) {
  const auto known = std::ranges::find(kWords, word, &Word::word);
  return known != std::end(kWords) ? known->group : name_of(word);
}

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end;
}

Status take_number(std::string_view option, std::string_view value, const Number& bounds, NasOptions& out) {
  std::uint32_t number = 0;
  const bool parsed = parse_number(value, number);
  const bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (!parsed && (value.empty() || !digits)) return refused(option, "needs a number");
  if (!parsed || number < bounds.least || number > bounds.most) {
    return refused(option, "must be " + std::to_string(bounds.least) + ".." + std::to_string(bounds.most));
  }
  if (bounds.name == "port") {
    out.port = static_cast<std::uint16_t>(number);
  } else {
    set_word(out, std::string(bounds.name) + "=" + std::to_string(number));
  }
  return {};
}

Status take_version(std::string_view value, NasOptions& out) {
  HOLDFAST_TRY(out.vers, parse_version(value));
  return {};
}

Status take_minor_version(std::string_view value, NasOptions& out) {
  if (value != "0" && value != "1" && value != "2") {
    return refused("minorversion=" + std::string(value), "is none of 0, 1, 2");
  }
  out.vers = "4." + std::string(value);
  return {};
}

Status take_value(std::string_view option, NasOptions& out) {
  std::string_view value = option;
  const std::string_view name = take_until(value, '=');
  if (name == "vers" || name == "nfsvers") return take_version(value, out);
  if (name == "minorversion") return take_minor_version(value, out);
  if (name == "retry") return {};
  if (name == "proto" || name == "mountproto") return refused(option, "is not possible: only TCP is used");
  const auto number = std::ranges::find(kNumbers, name, &Number::name);
  if (number != std::end(kNumbers)) return take_number(option, value, *number, out);
  const auto choice = std::ranges::find(kChoices, name, &Choice::name);
  if (choice == std::end(kChoices)) return refused(option, "is not allowed for NFS");
  if (value.find(' ') != std::string_view::npos ||
      choice->values.find(" " + std::string(value) + " ") == std::string_view::npos) {
    return refused(option, "must be one of" + std::string(choice->values));
  }
  set_word(out, option);
  return {};
}

Status take_option(std::string_view option, NasOptions& out) {
  if (option.starts_with("x-") || std::ranges::find(kDropped, option) != std::end(kDropped)) return {};
  if (option.find('=') != std::string_view::npos) return take_value(option, out);
  if (std::ranges::find(kWords, option, &Word::word) == std::end(kWords)) {
    return refused(option, "is not allowed for NFS");
  }
  set_word(out, option);
  return {};
}

}  // namespace

bool NasOptions::has(std::string_view word) const { return std::ranges::find(words, word) != words.end(); }

std::string NasOptions::text() const {
  std::string out;
  for (const std::string& word : words) out.append(out.empty() ? "" : ",").append(word);
  return out;
}

void set_word(NasOptions& options, std::string_view word) {
  const std::string_view group = group_of(word);
  std::erase_if(options.words, [&](const std::string& each) { return group_of(each) == group; });
  const auto known = std::ranges::find(kWords, word, &Word::word);
  if (known != std::end(kWords) && known->none) return;
  options.words.insert(std::ranges::lower_bound(options.words, word), std::string(word));
}

Result<std::string> parse_version(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kVersions[] = {
      {"3", "3"}, {"3.0", "3"}, {"4", "4.0"}, {"4.0", "4.0"}, {"4.1", "4.1"}, {"4.2", "4.2"}};
  for (const auto& [written, meant] : kVersions) {
    if (text == written) return std::string(meant);
  }
  return fail(Code::kInvalidArgument,
              "the NFS version '" + printable(text, kMostShownBytes) + "' is none of 3, 4.0, 4.1, 4.2");
}

Result<NasOptions> parse_nas_options(std::span<const std::string> entries) {
  NasOptions out;
  for (const std::string& entry : entries) {
    std::string_view rest = entry;
    while (!rest.empty()) {
      const std::string_view option = trim(take_until(rest, ','));
      if (!option.empty()) HOLDFAST_CHECK(take_option(option, out));
    }
  }
  return out;
}

bool locks_at_server(const NasOptions& options) {
  return options.vers == "3" && !options.has("nolock") && !options.has("local_lock=all");
}

mount::MountOptions kernel_options(const NasOptions& options, std::string_view address) {
  mount::MountOptions out;
  out.data = "vers=" + options.vers + ",addr=" + std::string(address);
  if (options.port != NasOptions{}.port) out.data += ",port=" + std::to_string(options.port);
  const bool over_ip6 = address.find(':') != std::string_view::npos;
  out.data += over_ip6 ? ",proto=tcp6" : ",proto=tcp";
  for (const std::string& word : options.words) {
    const auto flag = std::ranges::find(kFlags, word, &Flag::word);
    if (flag != std::end(kFlags)) {
      out.flags |= flag->flag;
    } else {
      out.data.append(",").append(word);
    }
  }
  return out;
}

}  // namespace holdfast::nas
