#include "csi-nas/mounts/server_calls.h"

#include <algorithm>
#include <cerrno>
#include <string>

namespace holdfast::nas {
namespace {

constexpr std::chrono::milliseconds kLeastPatience{100};  // for less no call is begun
constexpr std::chrono::milliseconds kTellingPatience{1000};

// Of a server that has begun anew the kernel says "I/O error", or EREMOTEIO, until both know again what is
// open: nothing is lost by that.
Error told_by(const ServerAddress& server, Error error) {
  if (error.sys_errno != EIO && error.sys_errno != EREMOTEIO) return error;
  return {.code = Code::kUnavailable,
          .sys_errno = error.sys_errno,
          .message = "the NFS server " + server.text() + " has failed a request: " + error.message +
                     ": ask again; if it stays, see the logs of the server"};
}

}  // namespace

Error no_answer(const ServerAddress& server, const ServerHealth& health) {
  return {.code = Code::kUnavailable,
          .sys_errno = 0,
          .message = "the NFS server " + server.text() + " " + ailment_of(health) +
                     "; its volumes wait until it answers"};
}

ServerCalls::Patience ServerCalls::left(Deadline deadline) const {
  const auto time = std::chrono::floor<Patience>(deadline - clock_.since_boot());
  return std::max(time, Patience::zero());
}

Status ServerCalls::ask(const ServerAddress& server, Deadline deadline,
                        const std::function<Status(Patience)>& call) {
  const ServerHealth health = servers_.settled(server, left(deadline));
  if (health.state != ServerState::kAlive) return tl::unexpected(no_answer(server, health));
  HOLDFAST_TRY(const Turns::Turn turn, turns_.take(server.text(), left(deadline)));
  const ServerHealth now = servers_.health(server);
  // It may have died while others had their turn.
  if (now.state == ServerState::kDead) return tl::unexpected(no_answer(server, now));
  const Patience patience = left(deadline);
  const auto out_of_time = [&server] {
    return fail(Code::kUnavailable, "calls to the NFS server " + server.text() +
                                        " before this one have taken its time: ask again");
  };
  // A server that another call has just found late has as much time as it takes to tell, or is not asked.
  const bool hopeless = now.state != ServerState::kAlive && patience < kTellingPatience;
  if (hopeless || patience < kLeastPatience) return out_of_time();
  Status done = call(patience);
  if (done) return done;
  if (done.error().code != Code::kDeadlineExceeded) return tl::unexpected(told_by(server, done.error()));
  // One that had little time of its own says nothing of the server.
  if (patience < kTellingPatience) return out_of_time();
  servers_.suspect(server);
  return fail(Code::kUnavailable, done.error().message);
}

Result<bool> ServerCalls::unmount(NfsCalls& calls, const ServerAddress& server, const UnmountRequest& request,
                                  Patience patience) {
  const Deadline end = deadline(patience);
  const auto turn = turns_.take(server.text(), patience);
  if (!turn) return false;
  const Status done = calls.unmount(server.text(), request, left(end));
  if (done) return true;
  const bool late = done.error().code == Code::kDeadlineExceeded;
  const bool kept_out = done.error().code == Code::kUnavailable && done.error().sys_errno == 0;
  if (!late && !kept_out) return tl::unexpected(done.error());
  servers_.suspect(server);
  return false;
}

}  // namespace holdfast::nas
