#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "csi-nas/mounts/child.h"

namespace holdfast::nas {

/// Calls that were late and go on, as that of mounting a share of a server that is far away: one for each
/// server at most, and one for each target that is unmounted lazily. Whoever makes the same call again waits
/// for it, or has what it came to. Not thread-safe.
class CallsUnderWay {
 public:
  using Time = Child::Time;

  struct Call {
    std::string server;   ///< or, of a lazy unmount, which keeps no call to a server out, its target
    std::string message;  ///< as of write_words(): what is the same call
    std::string target;   ///< the folder that it is about
    Child child;
    Time begun;
  };

  /// For how long a call may go on, and for how long what it came to is kept.
  static constexpr std::chrono::seconds kLongest{60};

  void add(Call call);
  /// The call, for who waits for it now; nullopt: it is not under way.
  [[nodiscard]] std::optional<Call> take(const std::string& server, const std::string& message);
  /// What the call came to, told once; nullopt: it was not made, or has not ended.
  [[nodiscard]] std::optional<std::string> take_answer(const std::string& message);
  /// Since when a call to the server goes on; nullopt: none does.
  [[nodiscard]] std::optional<Time> busy_since(const std::string& server) const;
  [[nodiscard]] bool is_about(const std::string& target) const;

  /// Keeps what has ended by now. The children that did it.
  [[nodiscard]] std::vector<Child> settle(Time now);
  /// Gives up calls that are too old, and those of which this holds. They are to be killed.
  [[nodiscard]] std::vector<Call> give_up(Time now, const std::function<bool(const Call&)>& of);

 private:
  struct Answer {
    std::string text;
    Time since;
  };
  std::map<std::string, Call> calls_;      // by server
  std::map<std::string, Answer> answers_;  // by message
};

}  // namespace holdfast::nas
