#include "egw-gateway/controller/pool_keys.h"

#include <charconv>
#include <utility>

#include "common/base/base64.h"
#include "common/base/clock.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/controller/pool_objects.h"

namespace holdfast::gateway {
namespace {

const char* const kCure = "; restore the Secret, or delete it: then keys are made anew";

std::optional<std::uint64_t> number_in(const Text& text, const char* key) {
  const auto found = text.find(key);
  if (found == text.end()) return std::nullopt;
  const std::string& value = found->second;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number == 0) return std::nullopt;
  return number;
}

Status read_pair(const SeenSecret& secret, std::uint64_t number, PoolKeys& out) {
  for (const char* gateway : kGateways) {
    const std::string name = key_name(gateway, number);
    const auto found = secret.data.find(name);
    const Result<std::string> key = decode_base64(found == secret.data.end() ? "" : found->second);
    if (!key || !public_key_of(*key)) {
      return fail(Code::kDataLoss, "Secret " + secret.id.name + ": '" + name + "' is no key" + kCure);
    }
    out.private_keys[name] = *key;
  }
  return {};
}

}  // namespace

std::vector<std::string> PoolKeys::public_keys(const std::string& gateway) const {
  std::vector<std::string> out;
  for (const std::uint64_t each : {number, offered.value_or(number)}) {
    const auto found = private_keys.find(key_name(gateway, each));
    if (found == private_keys.end() || (each == number && !out.empty())) continue;
    const Result<std::string> key = public_key_of(found->second);
    if (key) out.push_back(*key);
  }
  return out;
}

Result<PoolKeys> read_keys(const SeenSecret& secret) {
  PoolKeys out;
  const auto number = number_in(secret.annotations, kKeyNumberAnnotation);
  if (!number) {
    return fail(Code::kDataLoss,
                "Secret " + secret.id.name + ": " + kKeyNumberAnnotation + " is no number" + kCure);
  }
  out.number = *number;
  HOLDFAST_CHECK(read_pair(secret, out.number, out));
  out.offered = number_in(secret.annotations, kOfferedAnnotation);
  if (out.offered) HOLDFAST_CHECK(read_pair(secret, *out.offered, out));
  out.taken = out.offered && number_in(secret.annotations, kTakenAnnotation) == out.offered;
  const auto word = secret.annotations.find(kRotatedAnnotation);
  if (word != secret.annotations.end()) out.rotated_for = word->second;
  const auto changed = secret.annotations.find(kChangedAnnotation);
  if (changed != secret.annotations.end()) out.changed = parse_utc(changed->second);
  return out;
}

Text annotations_of(const PoolKeys& keys) {
  Text out{{kKeyNumberAnnotation, std::to_string(keys.number)}};
  if (keys.offered) out[kOfferedAnnotation] = std::to_string(*keys.offered);
  if (keys.offered && keys.taken) out[kTakenAnnotation] = std::to_string(*keys.offered);
  if (!keys.rotated_for.empty()) out[kRotatedAnnotation] = keys.rotated_for;
  if (keys.changed) out[kChangedAnnotation] = utc_text(*keys.changed);
  return out;
}

Text data_of(const PoolKeys& keys) {
  Text out;
  for (const auto& [name, key] : keys.private_keys) out[name] = encode_base64(key);
  return out;
}

PoolKeys first_keys(std::uint64_t number, const FreshKeys& fresh, std::chrono::sys_seconds now) {
  PoolKeys out;
  out.number = number;
  out.changed = now;
  for (const char* gateway : kGateways)
    out.private_keys[key_name(gateway, number)] = fresh.of(gateway).private_key;
  return out;
}

PoolKeys with_offer(PoolKeys keys, const std::string& word, const FreshKeys& fresh,
                    std::chrono::sys_seconds now) {
  keys.offered = keys.number + 1;
  keys.taken = false;
  keys.rotated_for = word;
  keys.changed = now;
  for (const char* gateway : kGateways) {
    keys.private_keys[key_name(gateway, *keys.offered)] = fresh.of(gateway).private_key;
  }
  return keys;
}

PoolKeys with_offer_taken(PoolKeys keys) {
  if (!keys.offered) return keys;
  for (const char* gateway : kGateways) keys.private_keys.erase(key_name(gateway, keys.number));
  keys.number = *std::exchange(keys.offered, std::nullopt);
  keys.taken = false;
  return keys;
}

}  // namespace holdfast::gateway
