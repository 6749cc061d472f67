#include "egw-gateway/controller/liveness_keys.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/base/base64.h"
#include "common/base/clock.h"
#include "egw-gateway/bfd/key_file.h"
#include "egw-gateway/controller/gateway_keys.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr int kHighestId = 255;

std::string line_of(const bfd::Key& key) { return std::to_string(key.id) + " " + key.secret + "\n"; }

/// Behind the one that is sent.
std::uint8_t next_id(const bfd::Keys& keys) {
  return static_cast<std::uint8_t>(keys.send.id % kHighestId + 1);
}

/// The newest stands last until it is sent, and first from then on.
bool awaits_sending(const bfd::Keys& keys) {
  return !keys.also_accepted.empty() && keys.also_accepted.back().id == next_id(keys);
}

}  // namespace

Result<LivenessKeys> read_liveness(const SeenSecret& secret) {
  const auto found = secret.data.find(kLivenessMember);
  const Result<std::string> text = decode_base64(found == secret.data.end() ? "" : found->second);
  Result<bfd::Keys> keys = bfd::parse_key_file(text.value_or(""));
  if (!keys) {
    return fail(Code::kDataLoss,
                "Secret " + secret.id.name + ": '" + kLivenessMember +
                    "' holds no keys of BFD: " + keys.error().message +
                    "; restore the Secret, or delete it: then one is made anew, and gateways "
                    "are not heard until all nodes have it");
  }
  LivenessKeys out{.keys = *std::move(keys)};
  const auto word = secret.annotations.find(kRotatedAnnotation);
  if (word != secret.annotations.end()) out.rotated_for = word->second;
  const auto changed = secret.annotations.find(kChangedAnnotation);
  if (changed != secret.annotations.end()) out.changed = parse_utc(changed->second);
  return out;
}

Text annotations_of(const LivenessKeys& keys) {
  Text out;
  if (!keys.rotated_for.empty()) out[kRotatedAnnotation] = keys.rotated_for;
  if (keys.changed) out[kChangedAnnotation] = utc_text(*keys.changed);
  return out;
}

Text data_of(const LivenessKeys& keys) {
  std::string text = line_of(keys.keys.send);
  for (const bfd::Key& key : keys.keys.also_accepted) text += line_of(key);
  return {{kLivenessMember, encode_base64(text)}};
}

std::optional<LivenessKeys> next_liveness(const LivenessKeys& held, const std::string& word,
                                          const std::string& fresh, std::chrono::sys_seconds now,
                                          std::chrono::seconds overlap) {
  LivenessKeys next = held;
  next.changed = now;
  bfd::Keys& keys = next.keys;
  if (keys.also_accepted.empty()) {
    if (word.empty() || word == held.rotated_for) return std::nullopt;
    next.rotated_for = word;
    keys.also_accepted.push_back({next_id(keys), fresh});
    return next;
  }
  if (!held.changed) return next;
  if (liveness_waits(held, now, overlap)) return std::nullopt;
  if (awaits_sending(keys)) {
    std::swap(keys.send, keys.also_accepted.back());
  } else {
    keys.also_accepted.clear();
  }
  return next;
}

std::optional<std::chrono::seconds> liveness_waits(const LivenessKeys& held, std::chrono::sys_seconds now,
                                                   std::chrono::seconds overlap) {
  if (held.keys.also_accepted.empty() || !held.changed) return std::nullopt;
  // a clock that was set back waits for the overlap at most
  const std::chrono::seconds since = std::max(std::chrono::seconds(0), now - *held.changed);
  if (since >= overlap) return std::nullopt;
  return overlap - since;
}

}  // namespace holdfast::gateway
