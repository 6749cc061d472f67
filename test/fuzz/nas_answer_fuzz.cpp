#include <string>
#include <string_view>

#include "common/mount/mount_table.h"
#include "csi-nas/driver/usage_record.h"
#include "csi-nas/mounts/null_call.h"
#include "csi-nas/nascmd/lock_services.h"
#include "csi-nas/nfs/child_messages.h"
#include "csi-nas/nfs/nfs_table.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace nas = holdfast::nas;
using holdfast::fuzz::require;

// What servers answer, and rpcbind: more bytes change no answer that was whole.
void check_replies(std::string_view text) {
  constexpr std::uint32_t kId = 7;
  const nas::NullReply reply = nas::read_null_reply(text, kId);
  for (std::size_t size = 0; size <= text.size() && size <= 64; ++size) {
    const nas::NullReply early = nas::read_null_reply(text.substr(0, size), kId);
    require(early == nas::NullReply::kIncomplete || early == reply);
  }
  static_cast<void>(nas::read_statd_port(text, kId));
}

// What a child answers. An error is told again as it was.
void check_answers(std::string_view text) {
  const auto answer = nas::read_answer(text, "look");
  const auto again = nas::read_answer(nas::write_answer(answer), "look");
  require(again.has_value() == answer.has_value());
  require(answer ? *again == *answer : again.error().message == answer.error().message);
  if (const auto usage = nas::read_usage(text)) require(nas::read_usage(nas::write_usage(*usage)) == *usage);
  if (const auto usages = nas::read_usages(text))
    require(nas::read_usages(nas::write_usages(*usages)) == *usages);
}

// The options of a mount, as the kernel shows them. They hold neither blanks nor line ends.
void check_options(std::string_view text) {
  holdfast::mount::MountEntry entry;
  entry.type = "nfs4";
  entry.super_options = text;
  const auto server = nas::server_of(entry);
  if (!server) return;
  require(!server->address.empty() && server->port != 0);
  require(server->text().find(server->address) != std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = holdfast::fuzz::text_of(data, size);
  check_replies(text);
  check_answers(text);
  check_options(text);
  return 0;
}
