#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "egw-gateway/bfd/authentication.h"
#include "egw-gateway/controller/seen_objects.h"

namespace holdfast::gateway {

/// What nodes and gateways of a pool sign BFD with, as its Secret holds it: member "keys", lines "ID SECRET",
/// of which the first is sent with and all are accepted. A change of keys ends no session, because nobody
/// sends what others do not accept:
///
///     1 A         in use --another word in kRotateAnnotation--> a new one, which is accepted
///     1 A, 2 B    --the overlap, by kChangedAnnotation--> it is sent
///     2 B, 1 A    --the overlap--> the old one is forgotten
///     2 B
///
/// The overlap is to be longer than it takes every node to get what the Secret holds.
struct LivenessKeys {
  bfd::Keys keys{};
  std::string rotated_for{};                          ///< the word that asked for the newest
  std::optional<std::chrono::sys_seconds> changed{};  ///< when they became what they are; unset: not known
};

/// Errors: kDataLoss, naming the Secret and never a key, with the cure.
[[nodiscard]] Result<LivenessKeys> read_liveness(const SeenSecret& secret);

/// What the Secret holds of it.
[[nodiscard]] Text annotations_of(const LivenessKeys& keys);
[[nodiscard]] Text data_of(const LivenessKeys& keys);

/// The next that is to be written; nullopt: nothing now. `word`: of kRotateAnnotation; empty: none. `fresh`:
/// the secret of a key that was not used anywhere. Without a `changed` the overlap begins anew. Pure.
[[nodiscard]] std::optional<LivenessKeys> next_liveness(const LivenessKeys& held, const std::string& word,
                                                        const std::string& fresh,
                                                        std::chrono::sys_seconds now,
                                                        std::chrono::seconds overlap);

/// For how long nothing is to be written; nullopt: until another word comes.
[[nodiscard]] std::optional<std::chrono::seconds> liveness_waits(const LivenessKeys& held,
                                                                 std::chrono::sys_seconds now,
                                                                 std::chrono::seconds overlap);

}  // namespace holdfast::gateway
