#include "csi-nas/volumes/nas_source.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "common/base/sha.h"
#include "common/base/text.h"
#include "csi-nas/volumes/handle.h"
#include "csi-nas/volumes/share_path.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kMostShownBytes = 200;
constexpr std::size_t kMostHostBytes = 253;
constexpr std::size_t kMostShares = 16;
constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kMostModeDigits = 5;  // "04755"
constexpr unsigned kMostMode = 07777;
constexpr std::string_view kExtremeServers = ".extreme.nas.aliyuncs.com";
constexpr std::string_view kExtremeTop = "/share";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Attributes by their names in lower case.
class Words {
 public:
  explicit Words(const NasAttributes& attributes) {
    for (const auto& [key, value] : attributes) {
      if (!words_.emplace(lower(key), trim(value)).second) twice_ = lower(key);
    }
  }
  /// A name that two attributes have; empty: none.
  [[nodiscard]] const std::string& twice() const { return twice_; }
  [[nodiscard]] bool has(const std::string& key) const { return !text(key).empty(); }
  [[nodiscard]] std::string text(const std::string& key) const {
    const auto found = words_.find(key);
    return found == words_.end() ? "" : found->second;
  }
  [[nodiscard]] tl::unexpected<Error> refuse(const std::string& key, std::string_view why) const {
    return fail(Code::kInvalidArgument, "the attribute " + key + " '" +
                                            printable(text(key), kMostShownBytes) + "' " + std::string(why));
  }

 private:
  NasAttributes words_;
  std::string twice_;
};

bool is_address6(std::string_view text) {
  in6_addr address{};
  const std::string bare(text.substr(0, text.find('%')));
  return ::inet_pton(AF_INET6, bare.c_str(), &address) == 1;
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > kMostHostBytes) return false;
  const bool plain = std::ranges::all_of(
      text, [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_'; });
  if (plain) return text.front() != '-' && text.front() != '.';
  const bool of_zone = std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == ':' || c == '.' || c == '%' || c == '-' || c == '_';
  });
  return of_zone && is_address6(text);
}

// "host", "host:/path", "[v6]", "[v6]:/path" or a bare "v6"; the path is empty when it is not told.
std::optional<NasShare> split_server(std::string_view text) {
  NasShare out;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!is_address6(out.host) || (!text.empty() && !text.starts_with(":/"))) return std::nullopt;
    if (!text.empty()) out.path = text.substr(1);
  } else {
    const std::size_t colon = text.find(":/");
    out.host = text.substr(0, colon);
    if (colon != std::string_view::npos) out.path = text.substr(colon + 1);
  }
  return is_host(out.host) ? std::optional(std::move(out)) : std::nullopt;
}

Result<std::vector<NasShare>> read_servers(const Words& words) {
  const std::string key = words.has("server") ? "server" : "host";
  if (!words.has(key)) {
    return fail(Code::kInvalidArgument, "the attribute server is missing: the volume's NFS server");
  }
  std::vector<NasShare> out;
  const std::string text = words.text(key);
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto share = split_server(trim(take_until(rest, ',')));
    if (!share) return words.refuse(key, "is not a server, 'host' or 'host:/path', nor a list of servers");
    out.push_back(*share);
  }
  if (out.size() > kMostShares) return words.refuse(key, "lists more than 16 servers");
  return out;
}

Result<std::string> read_path(const Words& words) {
  for (const char* key : {"path", "mountpath"}) {
    if (words.has(key)) return clean_path(words.text(key));
  }
  if (!words.has("share")) return std::string();
  HOLDFAST_TRY(const std::string share, clean_path(words.text("share")));
  return clean_path(share + "/" + words.text("subdir"));
}

bool is_extreme(const NasShare& share) { return lower(share.host).ends_with(kExtremeServers); }

bool is_below(std::string_view path, std::string_view top) {
  return path == top || (path.starts_with(top) && path.substr(top.size()).starts_with('/'));
}

// Where the volume lies on each of its servers. The path of the attributes wins over those in the list.
Status place(const Words& words, std::vector<NasShare>& shares) {
  HOLDFAST_TRY(const std::string path, read_path(words));
  for (NasShare& share : shares) {
    if (!path.empty()) {
      share.path = path;
    } else {
      HOLDFAST_TRY(share.path, clean_path(share.path.empty() ? "/" : share.path));
    }
    if (is_extreme(share) && !is_below(share.path, kExtremeTop)) {
      return fail(Code::kInvalidArgument, "the path '" + share.path + "' is not below /share, where " +
                                              share.host + " (extreme NAS) has all of its shares");
    }
  }
  return {};
}

std::string default_version(const Words& words) {
  if (!words.has("server")) return "4.0";
  return words.has("share") ? "4.1" : "3";
}

// Whether entries tell anything beside the version.
bool say_more(std::span<const std::string> entries) {
  for (const std::string& entry : entries) {
    std::string_view rest = entry;
    while (!rest.empty()) {
      const std::string_view option = trim(take_until(rest, ','));
      const bool version = option.starts_with("vers=") || option.starts_with("nfsvers=") ||
                           option.starts_with("minorversion=");
      if (!option.empty() && !version) return true;
    }
  }
  return false;
}

// The words that count, and a version if they tell one.
Result<NasOptions> read_words(const Words& words, std::span<const std::string> mount_options,
                              const NasOptions& told) {
  const std::string attribute = words.text("options");
  if (say_more(mount_options)) return told;
  if (lower(attribute) == "none") return NasOptions{};
  return parse_nas_options(std::array{attribute});
}

Result<NasOptions> read_options(const Words& words, std::span<const std::string> mount_options) {
  HOLDFAST_TRY(const NasOptions told, parse_nas_options(mount_options));
  HOLDFAST_TRY(NasOptions out, read_words(words, mount_options, told));
  std::string version = told.vers;
  if (version.empty() && words.has("vers")) {
    HOLDFAST_TRY(version, parse_version(words.text("vers")));
  }
  if (version.empty()) version = out.vers.empty() ? default_version(words) : out.vers;
  if (!say_more(mount_options) && !words.has("options")) {
    const std::string usual(version == "3" ? kVersion3Options : kVersion4Options);
    HOLDFAST_TRY(out, parse_nas_options(std::array{usual}));
  }
  out.vers = std::move(version);
  return out;
}

Status apply_cloud_rules(const Words& words, NasSource& source) {
  for (NasShare& share : source.shares) {
    if (is_extreme(share)) {
      if (source.options.vers != "3") {
        return fail(Code::kInvalidArgument, "the NFS version " + source.options.vers + " is not spoken by " +
                                                share.host + " (extreme NAS): use vers 3");
      }
      set_word(source.options, "nolock");
    }
    if (!words.has("fsid") || source.options.vers != "3") continue;
    HOLDFAST_TRY(share.path, clean_path("/" + words.text("fsid") + share.path));
    set_word(source.options, "nolock");
  }
  return {};
}

Status read_mode(const Words& words, NasSource& source) {
  const std::string type = lower(words.text("modetype"));
  if (!type.empty() && type != "recursive" && type != "non-recursive") {
    return words.refuse("modetype", "is neither recursive nor non-recursive");
  }
  // Of a large tree that takes longer than any call may.
  if (type == "recursive" && words.has("mode")) {
    return words.refuse("modetype", "is not supported: change the modes of files on the server");
  }
  if (!words.has("mode")) return {};
  const std::string text = words.text("mode");
  unsigned mode = 0;
  const char* end = text.data() + text.size();
  if (text.size() > kMostModeDigits || std::from_chars(text.data(), end, mode, 8).ptr != end ||
      mode > kMostMode) {
    return words.refuse("mode", "is not an octal mode, 755");
  }
  const bool of_root =
      std::ranges::any_of(source.shares, [](const NasShare& share) { return share.path == "/"; });
  if (source.subdirectory.empty() && of_root) {
    return words.refuse("mode", "cannot be set on the root of a server: name a path");
  }
  source.mode = mode;
  return {};
}

// What other drivers do and this one does not is refused, rather than left out silently.
Status check_kind(const Words& words) {
  if (!words.twice().empty()) {
    return fail(Code::kInvalidArgument, "the attribute " + words.twice() + " is told twice, in other case");
  }
  const std::string protocol = lower(words.text("mountprotocol"));
  if (!protocol.empty() && protocol != "nfs")
    return words.refuse("mountprotocol", "is not supported: only nfs is");
  if (words.has("mounttype")) return words.refuse("mounttype", "is not supported: leave it out");
  if (words.has("containernetworkfilesystem") && !words.has("server")) {
    return words.refuse("containernetworkfilesystem", "is not looked up here: name the server and the path");
  }
  return {};
}

Status apply_handle(std::string_view volume_id, NasSource& source) {
  HOLDFAST_TRY(const auto handle, parse_handle(volume_id));
  source.must_exist = handle || is_hashed_handle(volume_id);
  if (!handle) return {};
  for (NasShare& share : source.shares) share.path = handle->share;
  source.subdirectory = handle->directory;
  if (!source.subdirectory.empty()) source.subdirectory += '/';
  source.subdirectory += handle->name;
  return {};
}

}  // namespace

std::string NasShare::source() const {
  const bool bare6 = host.find(':') != std::string::npos;
  return (bare6 ? "[" + host + "]" : host) + ":" + path;
}

std::string NasSource::key() const {
  std::string out;
  for (const NasShare& share : shares) out.append(share.source()).append("\n");
  return out + "vers=" + options.vers + "\nport=" + std::to_string(options.port) + "\n" + options.text();
}

std::string NasSource::key_hash() const { return sha512_hex(key()).substr(0, kHashDigits); }

Result<NasSource> parse_source(const NasAttributes& attributes, std::span<const std::string> mount_options,
                               std::string_view volume_id) {
  const Words words(attributes);
  HOLDFAST_CHECK(check_kind(words));
  NasSource source;
  HOLDFAST_TRY(source.shares, read_servers(words));
  HOLDFAST_CHECK(place(words, source.shares));
  HOLDFAST_TRY(source.options, read_options(words, mount_options));
  HOLDFAST_CHECK(apply_handle(volume_id, source));
  HOLDFAST_CHECK(apply_cloud_rules(words, source));
  HOLDFAST_CHECK(read_mode(words, source));
  return source;
}

}  // namespace holdfast::nas
