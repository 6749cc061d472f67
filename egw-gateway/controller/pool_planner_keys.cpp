#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "egw-gateway/controller/liveness_keys.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/controller/pool_planner.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

/// The keys' Secret keeps the tunnels, too: they outlive an EdgeGateway that is deleted by mistake.
Text with_tunnels(Text annotations, const std::optional<PoolTunnels>& tunnels) {
  if (tunnels) annotations[kTunnelsAnnotation] = encode_tunnels(*tunnels);
  return annotations;
}

}  // namespace

PoolPlanner::Keys PoolPlanner::keep_up_keys(const Tunnels& tunnels) {
  const std::string name = keys_name(pool_);
  if (seen_.is_foreign(Kind::kSecret, name)) return std::nullopt;
  if (seen_.keys == nullptr) {
    make_keys(name, tunnels);
    return std::nullopt;
  }
  const Result<PoolKeys> keys = read_keys(*seen_.keys);
  if (!keys) {
    find(kKeysUsable, "KeysDamaged", keys.error().message);
    return std::nullopt;
  }
  if (seen_.keys->leaving || seen_.gateway == nullptr) return *keys;
  if (!keys->offered) {
    look_at_age(*keys, tunnels);
  } else if (!keys->taken) {
    look_at_offer(*keys, tunnels);
  } else if (both_run_with(*keys->offered)) {
    replace_keys(with_offer_taken(*keys), tunnels);
  }
  return *keys;
}

void PoolPlanner::look_at_age(const PoolKeys& keys, const Tunnels& tunnels) {
  const std::string word = value_in(seen_.gateway->annotations, kRotateAnnotation);
  const bool asked = !word.empty() && word != keys.rotated_for;
  if (!keys.changed && !asked) {  // of a version before: counted from now on
    PoolKeys counted = keys;
    counted.changed = clock();
    return replace_keys(counted, tunnels);
  }
  const bool ages = options_.key_lifetime.count() != 0;
  // a clock that was set back waits for a lifetime at most
  const auto age = std::max(std::chrono::seconds(0), clock() - keys.changed.value_or(clock()));
  if (asked || (ages && age >= options_.key_lifetime)) {
    replace_keys(with_offer(keys, asked ? word : keys.rotated_for, fresh_, clock()), tunnels);
  } else if (ages) {
    look_again_in(options_.key_lifetime - age);
  }
}

void PoolPlanner::look_at_offer(const PoolKeys& keys, const Tunnels& tunnels) {
  const std::string number = std::to_string(*keys.offered);
  const std::vector<std::string> slow = slow_access_points(keys);
  if (slow.empty() || value_in(seen_.gateway->annotations, kAcceptedAnnotation) == number) {
    PoolKeys taken = keys;
    taken.taken = true;
    return replace_keys(taken, tunnels);
  }
  const auto since = clock() - keys.changed.value_or(clock() - kOfferTime);
  if (since < kOfferTime) return look_again_in(kOfferTime - std::max(std::chrono::seconds(0), since));
  std::string names;
  for (const std::string& each : slow) names += (names.empty() ? "" : ", ") + each;
  find(kKeysCurrent, "OfferWaits",
       "keys " + number + " wait for access points that do not say that they take them (" + names +
           "): they are to run, and to hear the API server; where they cannot, annotate the EdgeGateway "
           "with " +
           kAcceptedAnnotation + "=" + number + " when they have its publicKeys");
}

std::vector<std::string> PoolPlanner::slow_access_points(const PoolKeys& keys) const {
  std::vector<std::string> out;
  for (const AccessPoint& point : last_spec().value_or(EdgeGateway{}).access_points) {
    const auto* taken = find_in(seen_.gateway->taken_keys, point.name);
    const bool all = std::ranges::all_of(kGateways, [&](const char* gateway) {
      return taken != nullptr && taken->contains(keys.public_keys(gateway).back());
    });
    if (!all) out.push_back(point.name);
  }
  return out;
}

void PoolPlanner::keep_up_liveness() {
  const std::string name = liveness_name(pool_);
  if (seen_.is_foreign(Kind::kSecret, name)) return;
  if (seen_.liveness == nullptr) {
    const LivenessKeys first{.keys = {.send = {1, fresh_.liveness}, .also_accepted = {}}};
    return create_secret(name, annotations_of(first), data_of(first));
  }
  const Result<LivenessKeys> held = read_liveness(*seen_.liveness);
  if (!held) return find(kKeysUsable, "KeysDamaged", held.error().message);
  if (seen_.liveness->leaving || seen_.gateway == nullptr) return;
  const std::chrono::sys_seconds now = clock();
  const std::string word = value_in(seen_.gateway->annotations, kRotateAnnotation);
  const auto next = next_liveness(*held, word, fresh_.liveness, now, options_.key_overlap);
  if (next) replace_secret(*seen_.liveness, annotations_of(*next), data_of(*next));
  look_again_in(liveness_waits(next.value_or(*held), now, options_.key_overlap));
}

void PoolPlanner::make_keys(const std::string& name, const Tunnels& tunnels) {
  std::uint64_t number = 1;
  const std::string last =
      seen_.gateway == nullptr ? "" : value_in(seen_.gateway->annotations, kKeyNumberAnnotation);
  if (!last.empty()) {
    number = std::strtoull(last.c_str(), nullptr, 10) + 1;
    find(kKeysUsable, "KeysLost",
         "Secret " + name +
             " is gone, and new keys are made: packets go on by the lost ones until both gateways have "
             "others");
  }
  const PoolKeys keys = first_keys(number, fresh_, clock());
  create_secret(name, with_tunnels(annotations_of(keys), tunnels), data_of(keys));
}

void PoolPlanner::create_secret(const std::string& name, const Text& annotations, const Text& data) {
  out_.steps.push_back({.verb = Verb::kCreate,
                        .kind = Kind::kSecret,
                        .name = name,
                        .object = secret_object(options_.objects, pool_, name, annotations, data)});
}

void PoolPlanner::replace_keys(const PoolKeys& keys, const Tunnels& tunnels) {
  replace_secret(*seen_.keys, with_tunnels(annotations_of(keys), tunnels), data_of(keys));
}

void PoolPlanner::replace_secret(const SeenSecret& seen, const Text& annotations, const Text& data) {
  json object = secret_object(options_.objects, pool_, seen.id.name, annotations, data);
  object["metadata"]["uid"] = seen.id.uid;
  object["metadata"]["resourceVersion"] = seen.id.resource_version;
  out_.steps.push_back({.verb = Verb::kReplace,
                        .kind = Kind::kSecret,
                        .name = seen.id.name,
                        .object = std::move(object),
                        .uid = seen.id.uid});
}

}  // namespace holdfast::gateway
