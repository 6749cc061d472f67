#include "cni-flannel/ipam/binding_log_format.h"

#include <array>
#include <cstdio>

#include "common/base/checksum.h"
#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

Binding binding(std::uint64_t sequence, std::string name, std::vector<IpAddress> addresses) {
  Binding out;
  out.sequence = sequence;
  out.key = {"default", std::move(name), "eth0"};
  out.uid = "5a1f2f7e-0a5b-4d0e-9a56-1d3cf5a3d6a1";
  out.container_id = std::string(64, 'c');
  out.boot_id = "b8c2b4a3-5a4e-4f0a-9d44-0c5d3b1b6a11";
  out.host_link = "veth01234567";
  out.addresses = std::move(addresses);
  out.wall_time = std::chrono::sys_seconds(std::chrono::seconds(1'700'000'000));
  out.uptime = std::chrono::seconds(12);
  return out;
}

std::string with(const std::vector<Binding>& bindings) {
  std::string text = format_log_header();
  for (const Binding& item : bindings) {
    text += format_record(item);
  }
  return text;
}

std::string checksummed(const std::string& rest) {
  std::array<char, 10> sum{};
  std::snprintf(sum.data(), sum.size(), "%08x ", crc32c(rest));
  return sum.data() + rest + "\n";
}

TEST_CASE("a record reads as it was written, whatever its bytes", "[ipam]") {
  Binding odd = binding(1, "a b%,\n-", {ip("10.0.0.1"), ip("fd00::1")});
  odd.key.name_space = "-";
  odd.uid = "";
  odd.host_link = "";
  odd.stale_links = {"v1", "v,2"};
  odd.state = BindingState::kAbsent;
  odd.uptime = std::chrono::seconds(-1);
  odd.wall_time = std::chrono::sys_seconds(std::chrono::seconds(-5));
  const Binding plain = binding(2, "web-0", {ip("10.0.0.2")});
  const Binding none = binding(3, "none", {});
  const ParsedLog log = parse_binding_log(with({odd, plain, none}));
  CHECK(log.ours);
  CHECK(log.lines == 3);
  CHECK(log.last_sequence == 3);
  CHECK(log.damaged_lines == 0);
  CHECK(log.bindings == std::vector{odd, plain, none});
}

TEST_CASE("the last line of a key counts, and an ended binding is none", "[ipam]") {
  Binding later = binding(3, "a", {ip("10.0.0.3")});
  Binding ended = binding(4, "b", {});
  ended.state = BindingState::kEnded;
  const ParsedLog log =
      parse_binding_log(with({binding(1, "a", {ip("10.0.0.1")}), binding(2, "b", {}), later, ended}));
  CHECK(log.bindings == std::vector{later});
  CHECK(log.last_sequence == 4);
  CHECK(log.lines == 4);
}

TEST_CASE("what is left of a damaged log", "[ipam]") {
  const std::string header = format_log_header();
  const std::string one = format_record(binding(1, "a", {}));
  const std::string two = format_record(binding(2, "b", {}));
  std::string rotten = one;
  rotten[20] ^= 1;
  struct Case {
    const char* name;
    std::string text;
    bool ours;
    std::size_t bindings;
    std::size_t damaged;
    std::size_t torn_bytes;
  };
  const Case cases[] = {
      {"nothing", "", false, 0, 0, 0},
      {"a header alone", header, true, 0, 0, 0},
      {"a whole log", header + one + two, true, 2, 0, 0},
      {"a torn last line", header + one + two.substr(0, 30), true, 1, 0, 30},
      {"a last line without its line feed", header + one + two.substr(0, two.size() - 1), true, 1, 0,
       two.size() - 1},
      {"a rotten last line", header + two + rotten, true, 1, 0, rotten.size()},
      {"a rotten line before a good one", header + rotten + two, true, 1, 1, 0},
      {"NUL bytes at the end", header + one + std::string(512, '\0'), true, 1, 0, 512},
      {"NUL bytes in the middle", header + std::string(one.size(), '\0') + "\n" + two, true, 1, 1, 0},
      {"no header", one + two, true, 2, 0, 0},
      {"a rotten header", "x" + header + one, true, 1, 1, 0},
      {"a rotten header alone", "x" + header, false, 0, 0, header.size() + 1},
      {"a later version", checksummed("holdfast-bindings 2") + one, false, 0, 0, header.size() + one.size()},
      {"another kind of file", "{\"v\":1}\n", false, 0, 0, 8},
      {"fields missing", header + checksummed("7 present a b") + one, true, 1, 1, 0},
      {"a sequence that is no number", header + checksummed("x present a b c d e f g h i 1 2") + one, true, 1,
       1, 0},
      {"a state that is none", header + checksummed("7 gone a b c d e f g - - 1 2") + one, true, 1, 1, 0},
      {"an address that is none", header + checksummed("7 present a b c d e f g - 1.2.3 1 2") + one, true, 1,
       1, 0},
      {"an escape that is none", header + checksummed("7 present a% b c d e f g - - 1 2") + one, true, 1, 1,
       0},
      {"an escape cut short", header + checksummed("7 present a%2 b c d e f g - - 1 2") + one, true, 1, 1, 0},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const ParsedLog log = parse_binding_log(c.text);
      CHECK(log.ours == c.ours);
      CHECK(log.bindings.size() == c.bindings);
      CHECK(log.damaged_lines == c.damaged);
      CHECK(c.text.size() - log.valid_bytes == c.torn_bytes);
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel::test
