#include <nlohmann/json.hpp>

#include "common/cloud/api.h"
#include "common/cloud/credentials.h"
#include "csi-nas/backend/alibaba_nas.h"
#include "test/fuzz/fuzz_text.h"

using holdfast::cloud::CallEnd;
using holdfast::cloud::HttpReply;
using holdfast::fuzz::require;

// The first byte is the status. Only an answer that names a code is a refusal; an object is read whole or not
// at all.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr int kFirst = 200;
  const HttpReply reply{.status = kFirst + 2 * *data,
                        .body = std::string(holdfast::fuzz::text_of(data + 1, size - 1))};
  for (const auto& answer :
       {holdfast::cloud::read_alibaba_reply(reply, {}), holdfast::cloud::read_tencent_reply(reply, {})}) {
    if (answer) {
      require(answer->is_object() && reply.status == kFirst);
      static_cast<void>(holdfast::nas::read_file_systems(*answer));
      static_cast<void>(holdfast::nas::read_mount_targets(*answer));
      static_cast<void>(holdfast::nas::read_access_points(*answer));
      continue;
    }
    const CallEnd end = answer.error().end;
    require(end != CallEnd::kNotSent && !answer.error().message.empty());
    require((end != CallEnd::kRefused && end != CallEnd::kNoSuchThing) || !answer.error().code.empty());
  }
  const auto credentials = holdfast::cloud::parse_credentials(reply.body);
  require(!credentials || (!credentials->id.empty() && !credentials->secret.empty()));
  return 0;
}
