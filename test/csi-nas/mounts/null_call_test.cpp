#include "csi-nas/mounts/null_call.h"

#include <fstream>

#include "csi-nas/mounts/rpc_slots.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

// Bytes of words, as they go over the wire.
std::string wire(std::initializer_list<std::uint32_t> words) {
  std::string out;
  for (const std::uint32_t word : words) {
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>((word >> shift) & 0xff);
  }
  return out;
}

TEST_CASE("the call is what RFC 5531 wants of a call without credentials", "[nas]") {
  CHECK(null_call(7) == wire({0x80000028, 7, 0, 2, 100003, 3, 0, 0, 0, 0, 0}));
}

TEST_CASE("answers are told from what is none", "[nas]") {
  struct Case {
    const char* name;
    std::string bytes;
    NullReply reply;
  };
  const Case cases[] = {
      {"nothing yet", "", NullReply::kIncomplete},
      {"half a mark", wire({0x80000018}).substr(0, 3), NullReply::kIncomplete},
      {"half a reply", wire({0x80000018, 7, 1, 0}), NullReply::kIncomplete},
      {"success", wire({0x80000018, 7, 1, 0, 0, 0, 0}), NullReply::kAnswered},
      {"success with a verifier", wire({0x8000001c, 7, 1, 0, 1, 3, 0x61626300, 0}), NullReply::kAnswered},
      {"version 4 alone", wire({0x80000020, 7, 1, 0, 0, 0, 2, 4, 4}), NullReply::kAnswered},
      {"credentials refused", wire({0x80000014, 7, 1, 1, 1, 1}), NullReply::kAnswered},
      {"another program", wire({0x80000018, 7, 1, 0, 0, 0, 1}), NullReply::kOther},
      {"the answer to another call", wire({0x80000018, 8, 1, 0, 0, 0, 0}), NullReply::kOther},
      {"a call", wire({0x80000018, 7, 0, 0, 0, 0, 0}), NullReply::kOther},
      {"a verifier longer than the reply", wire({0x80000018, 7, 1, 0, 0, 0xfffffffc, 0}), NullReply::kOther},
      {"too short", wire({0x80000004, 7}), NullReply::kOther},
      {"too long", wire({0x80100000, 7, 1}), NullReply::kOther},
      {"fragments", wire({0x00000018, 7, 1, 0, 0, 0, 0}), NullReply::kOther},
      {"another protocol", "HTTP/1.1 400 Bad Request\r\n", NullReply::kOther},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(read_null_reply(c.bytes, 7) == c.reply); }
  }
}

TEST_CASE("the kernel's tables of calls are raised, and never lowered", "[nas]") {
  const holdfast::test::TemporaryFolder folder;
  CHECK(raise_rpc_slots(128, folder.path()).error().code == Code::kFailedPrecondition);
  const auto set = [&](const char* name, const char* text) {
    std::ofstream(folder / name, std::ios::trunc) << text;
  };
  const auto number_in = [&](const char* name) {
    int number = 0;
    std::ifstream(folder / name) >> number;
    return number;
  };
  set("tcp_slot_table_entries", "2\n");
  set("tcp_max_slot_table_entries", "65536\n");
  REQUIRE(raise_rpc_slots(128, folder.path()).has_value());
  CHECK(number_in("tcp_slot_table_entries") == 128);
  CHECK(number_in("tcp_max_slot_table_entries") == 65536);
  set("tcp_max_slot_table_entries", "64\n");
  REQUIRE(raise_rpc_slots(100, folder.path()).has_value());
  CHECK(number_in("tcp_slot_table_entries") == 128);
  CHECK(number_in("tcp_max_slot_table_entries") == 100);
  set("tcp_slot_table_entries", "many");
  CHECK_FALSE(raise_rpc_slots(128, folder.path()).has_value());
}

}  // namespace
}  // namespace holdfast::nas
