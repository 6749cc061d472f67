#include "csi-nas/mounts/null_call.h"

#include "csi-nas/nfs/rpc_message.h"

namespace holdfast::nas {
namespace {

constexpr std::uint32_t kNfsProgram = 100003;
constexpr std::uint32_t kNfsVersion = 3;  // a server of version 4 alone answers that it does not know it
constexpr std::uint32_t kNullProcedure = 0;

}  // namespace

std::string null_call(std::uint32_t id) {
  return write_rpc_call(
      {.id = id, .program = kNfsProgram, .version = kNfsVersion, .procedure = kNullProcedure});
}

NullReply read_null_reply(std::string_view bytes, std::uint32_t id) {
  const RpcReply reply = read_rpc_reply(bytes, id);
  switch (reply.kind) {
    case RpcReply::Kind::kIncomplete:
      return NullReply::kIncomplete;
    case RpcReply::Kind::kDenied:
      return NullReply::kAnswered;
    case RpcReply::Kind::kAccepted:
      return reply.acceptance == kRpcNoSuchProgram ? NullReply::kOther : NullReply::kAnswered;
    case RpcReply::Kind::kOther:
      break;
  }
  return NullReply::kOther;
}

}  // namespace holdfast::nas
