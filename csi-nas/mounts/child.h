#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::nas {

/// What came of a call that a child was asked to do.
struct ChildReply {
  enum class Kind : std::uint8_t {
    kAnswered,
    kNotTaken,  ///< the child had ended before: nothing was begun
    kEnded,     ///< it ended without an answer
    kLate,
  };
  Kind kind = Kind::kEnded;
  std::string text = {};  ///< kAnswered
};

/// A process that runs nascmd (csi-nas/nascmd/serve.h) and does one call after the other. It ends when its
/// Child does, also because ours is killed, as it sees the other end of its socket closed; no thread of ours
/// matters for that. Whoever has it waits for the process (ended_by), or has it waited for later.
class Child {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `server` is a word for people, who see it in ps(1). Errors: errno of socketpair(2) and posix_spawn(3).
  static Result<Child> start(const std::string& program, const std::string& root, const std::string& server);

  /// `message`: as of write_words(). Waits until then for the answer.
  ChildReply ask(const std::string& message, Time until);
  /// Waits on for the answer of a call that was late.
  ChildReply answer(Time until);
  /// Closes its socket: it ends, also during a call.
  void dismiss() { socket_.reset(); }
  /// Whatever it does, as soon as the kernel lets go of it.
  void kill();
  /// Waits until then for its end, and reaps it. True: it has ended.
  [[nodiscard]] bool ended_by(Time until) const;
  /// The function of the kernel that it waits in, as far as the kernel tells: "rpc_wait_bit_killable"; empty
  /// when it runs. Source: proc(5), /proc/pid/wchan.
  [[nodiscard]] std::string waits_in() const;
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  Child(pid_t process, Fd socket) : process_(process), socket_(std::move(socket)) {}

  pid_t process_;
  Fd socket_;
};

}  // namespace holdfast::nas
