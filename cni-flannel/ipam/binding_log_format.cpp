#include "cni-flannel/ipam/binding_log_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

#include "common/base/checksum.h"

namespace holdfast::flannel {
namespace {

constexpr std::string_view kHeaderName = "holdfast-bindings ";
constexpr std::string_view kHeader = "holdfast-bindings 1";
constexpr std::string_view kEmptyField = "-";
constexpr std::size_t kChecksumDigits = 8;
constexpr std::string_view kHexDigits = "0123456789abcdef";

enum Field : std::size_t {
  kSequence,
  kState,
  kNameSpace,
  kName,
  kIfname,
  kUid,
  kContainerId,
  kBootId,
  kHostLink,
  kStaleLinks,
  kAddresses,
  kWallTime,
  kUptime,
  kFieldCount,
};
using Fields = std::array<std::string_view, kFieldCount>;

// In the order of BindingState.
constexpr std::string_view kEnded = "ended";
constexpr std::array<std::string_view, 3> kStateNames{"present", "absent", kEnded};

bool is_plain(char c) { return c > ' ' && c < 0x7f && c != '%' && c != ','; }

void add_escaped(std::string& out, std::string_view value) {
  if (value == kEmptyField) {
    out += "%2d";
    return;
  }
  for (const char c : value) {
    if (is_plain(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHexDigits[byte >> 4U];
      out += kHexDigits[byte & 0xfU];
    }
  }
}

void add_field(std::string& out, std::string_view value) {
  out += ' ';
  if (value.empty()) {
    out += kEmptyField;
  } else {
    add_escaped(out, value);
  }
}

void add_number(std::string& out, std::int64_t value) {
  out += ' ';
  out += std::to_string(value);
}

// Items are never empty, so that no item and one empty item need not be told apart.
void add_list(std::string& out, const std::vector<std::string>& items) {
  out += ' ';
  if (items.empty()) {
    out += kEmptyField;
    return;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    out += i == 0 ? "" : ",";
    add_escaped(out, items[i]);
  }
}

std::string with_checksum(std::string_view fields) {
  std::string line(kChecksumDigits, '0');
  std::uint32_t sum = crc32c(fields);
  for (std::size_t i = kChecksumDigits; i-- > 0; sum >>= 4U) {
    line[i] = kHexDigits[sum & 0xfU];
  }
  line += ' ';
  line += fields;
  line += '\n';
  return line;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto done = std::from_chars(text.data(), end, value, base);
  if (done.ec != std::errc() || done.ptr != end) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> unescape(std::string_view text) {
  if (text == kEmptyField) {
    return std::string();
  }
  if (text.find('%') == std::string_view::npos) {
    return std::string(text);
  }
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      value += text[i];
      continue;
    }
    const auto code = parse_number<unsigned char>(text.substr(i + 1, 2), 16);
    if (!code || text.size() - i <= 2) {
      return std::nullopt;
    }
    value += static_cast<char>(*code);
    i += 2;
  }
  return value;
}

// Calls `take` with each item between commas; false as soon as it refuses one.
template <class Take>
bool each_item(std::string_view list, Take take) {
  if (list == kEmptyField) {
    return true;
  }
  while (true) {
    const std::size_t comma = list.find(',');
    if (!take(list.substr(0, comma))) {
      return false;
    }
    if (comma == std::string_view::npos) {
      return true;
    }
    list.remove_prefix(comma + 1);
  }
}

std::optional<Fields> split_fields(std::string_view text) {
  Fields fields;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const std::size_t blank = text.find(' ');
    const bool is_last = i + 1 == kFieldCount;
    if (is_last != (blank == std::string_view::npos) || blank == 0) {
      return std::nullopt;
    }
    fields[i] = text.substr(0, blank);
    text.remove_prefix(is_last ? text.size() : blank + 1);
  }
  return fields;
}

// The line without its checksum, or nullopt when that is wrong.
std::optional<std::string_view> checked(std::string_view line) {
  if (line.size() <= kChecksumDigits || line[kChecksumDigits] != ' ') {
    return std::nullopt;
  }
  const auto sum = parse_number<std::uint32_t>(line.substr(0, kChecksumDigits), 16);
  const std::string_view rest = line.substr(kChecksumDigits + 1);
  return sum && *sum == crc32c(rest) ? std::optional(rest) : std::nullopt;
}

std::optional<BindingState> parse_state(std::string_view text) {
  const auto* const found = std::ranges::find(kStateNames, text);
  if (found == kStateNames.end()) {
    return std::nullopt;
  }
  return static_cast<BindingState>(found - kStateNames.begin());
}

bool read_strings(const Fields& fields, Binding& binding) {
  const std::array<std::pair<Field, std::string*>, 7> targets{{
      {kNameSpace, &binding.key.name_space},
      {kName, &binding.key.name},
      {kIfname, &binding.key.ifname},
      {kUid, &binding.uid},
      {kContainerId, &binding.container_id},
      {kBootId, &binding.boot_id},
      {kHostLink, &binding.host_link},
  }};
  return std::ranges::all_of(targets, [&fields](const auto& target) {
    auto value = unescape(fields[target.first]);
    if (!value) {
      return false;
    }
    *target.second = *std::move(value);
    return true;
  });
}

bool read_lists(const Fields& fields, Binding& binding) {
  return each_item(fields[kStaleLinks],
                   [&binding](std::string_view item) {
                     auto link = unescape(item);
                     if (!link) {
                       return false;
                     }
                     binding.stale_links.push_back(*std::move(link));
                     return true;
                   }) &&
         each_item(fields[kAddresses], [&binding](std::string_view item) {
           const auto address = IpAddress::parse(item);
           if (address) {
             binding.addresses.push_back(*address);
           }
           return address.has_value();
         });
}

std::optional<Binding> read_binding(const Fields& fields) {
  Binding binding;
  const auto sequence = parse_number<std::uint64_t>(fields[kSequence]);
  const auto state = parse_state(fields[kState]);
  const auto wall = parse_number<std::int64_t>(fields[kWallTime]);
  const auto uptime = parse_number<std::int64_t>(fields[kUptime]);
  if (!sequence || !state || !wall || !uptime || !read_strings(fields, binding) ||
      !read_lists(fields, binding)) {
    return std::nullopt;
  }
  binding.sequence = *sequence;
  binding.state = *state;
  binding.wall_time = std::chrono::sys_seconds(std::chrono::seconds(*wall));
  binding.uptime = std::chrono::seconds(*uptime);
  return binding;
}

// The part of a record's text that names its key, "namespace pod interface": equal texts are equal keys.
std::string_view key_text(const Fields& fields) {
  const char* const begin = fields[kNameSpace].data();
  return {begin, static_cast<std::size_t>(fields[kIfname].data() + fields[kIfname].size() - begin)};
}

// Collects the last line of each key, so that only those are decoded.
class Reader {
 public:
  bool add_record(std::string_view rest) {
    const auto fields = split_fields(rest);
    const auto sequence = fields ? parse_number<std::uint64_t>((*fields)[kSequence]) : std::nullopt;
    if (!sequence) {
      return false;
    }
    last_sequence_ = std::max(last_sequence_, *sequence);
    const auto [at, is_new] = by_key_.try_emplace(key_text(*fields), last_.size());
    if (is_new) {
      last_.push_back(*fields);
    } else {
      last_[at->second] = *fields;
    }
    return true;
  }

  void finish(ParsedLog& log) const {
    log.last_sequence = last_sequence_;
    log.bindings.reserve(last_.size());
    for (const Fields& fields : last_) {
      if (fields[kState] == kEnded) {
        continue;
      }
      if (auto binding = read_binding(fields)) {
        log.bindings.push_back(*std::move(binding));
      } else {
        ++log.damaged_lines;
      }
    }
  }

 private:
  std::unordered_map<std::string_view, std::size_t> by_key_;
  std::vector<Fields> last_;
  std::uint64_t last_sequence_ = 0;
};

}  // namespace

ParsedLog parse_binding_log(std::string_view text) {
  ParsedLog log;
  Reader reader;
  std::size_t bad_lines = 0;  // since the last good one
  bool has_header = false;
  bool is_foreign = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) {
      break;
    }
    const auto rest = checked(text.substr(begin, end - begin));
    const bool is_header = begin == 0 && rest && *rest == kHeader;
    is_foreign = is_foreign || (begin == 0 && rest && !is_header && rest->starts_with(kHeaderName));
    if (is_header || (rest && !is_foreign && reader.add_record(*rest))) {
      has_header = has_header || is_header;
      log.lines += is_header ? 0 : 1;
      log.valid_bytes = end + 1;
      log.damaged_lines += std::exchange(bad_lines, 0);
    } else {
      ++bad_lines;
    }
    begin = end + 1;
  }
  log.ours = !is_foreign && (has_header || log.lines > 0);
  reader.finish(log);
  return log;
}

std::string format_log_header() { return with_checksum(kHeader); }

std::string format_record(const Binding& binding) {
  std::string fields = std::to_string(binding.sequence);
  fields += ' ';
  fields += kStateNames.at(static_cast<std::size_t>(binding.state));
  add_field(fields, binding.key.name_space);
  add_field(fields, binding.key.name);
  add_field(fields, binding.key.ifname);
  add_field(fields, binding.uid);
  add_field(fields, binding.container_id);
  add_field(fields, binding.boot_id);
  add_field(fields, binding.host_link);
  add_list(fields, binding.stale_links);
  std::vector<std::string> addresses;
  std::ranges::transform(binding.addresses, std::back_inserter(addresses), &IpAddress::to_string);
  add_list(fields, addresses);
  add_number(fields, binding.wall_time.time_since_epoch().count());
  add_number(fields, binding.uptime.count());
  return with_checksum(fields);
}

}  // namespace holdfast::flannel
