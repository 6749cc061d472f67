#include "csi-disk/volumes/places.h"

#include <algorithm>

namespace holdfast::disk {
namespace {

std::string_view last_word(std::string_view key) { return key.substr(key.rfind('/') + 1); }

void add_once(std::vector<std::string>& places, const std::string& place) {
  if (std::ranges::find(places, place) == places.end()) places.push_back(place);
}

// In the order of their trying; none when nothing is said.
std::vector<std::string> reached_places(const Accessibility& reached, const PlaceKeys& keys) {
  std::vector<std::string> places;
  for (const auto* const list : {&reached.preferred, &reached.requisite}) {
    for (const Segments& each : *list) {
      if (const std::optional<std::string> place = place_in(each, keys)) add_once(places, *place);
    }
  }
  return places;
}

// In the order of `places`.
std::vector<std::string> common(std::vector<std::string> places, const std::vector<std::string>& allowed) {
  std::erase_if(places, [&allowed](const std::string& each) {
    return std::ranges::find(allowed, each) == allowed.end();
  });
  return places;
}

std::string in_words(const std::vector<std::string>& places) {
  std::string text;
  for (const std::string& each : places) text += (text.empty() ? "" : ", ") + each;
  return text;
}

}  // namespace

PlaceKeys place_keys(const std::vector<std::string>& topology_keys) {
  PlaceKeys keys;
  for (const std::string& key : topology_keys) {
    if (keys.place.empty()) {
      keys.place = key;
    } else if (last_word(key) == last_word(keys.place)) {
      keys.also.push_back(key);
    } else if (last_word(key) == "region") {
      keys.region = key;
    }
  }
  if (last_word(keys.place) == "region") keys.region = keys.place;
  return keys;
}

std::optional<std::string> place_in(const Segments& segments, const PlaceKeys& keys) {
  const auto value = [&segments](const std::string& key) -> std::optional<std::string> {
    const auto found = segments.find(key);
    return found == segments.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
  };
  if (auto place = value(keys.place)) return place;
  for (const std::string& key : keys.also) {
    if (auto place = value(key)) return place;
  }
  return std::nullopt;
}

std::vector<std::string> places_to_try(const Accessibility& reached, const PlaceKeys& keys,
                                       const std::vector<std::string>& allowed, const std::string& own,
                                       std::size_t turn) {
  std::vector<std::string> places = reached_places(reached, keys);
  if (places.empty() && allowed.empty()) return {own};
  if (places.empty()) {
    places = allowed;
    std::rotate(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(turn % places.size()),
                places.end());
    return places;
  }
  const std::vector<std::string> both = common(places, allowed);
  return both.empty() ? places : both;
}

std::string conflict_of(const Accessibility& reached, const PlaceKeys& keys,
                        const std::vector<std::string>& allowed) {
  const std::vector<std::string> places = reached_places(reached, keys);
  if (places.empty() || allowed.empty() || !common(places, allowed).empty()) return {};
  return "the StorageClass has its disks in " + in_words(allowed) + ", and pods reach " + in_words(places) +
         ": it is made there; change zoneId, or where the pod may run";
}

bool is_reached(const Accessibility& reached, const PlaceKeys& keys, std::string_view place) {
  const std::vector<std::string> places = reached_places(reached, keys);
  return places.empty() || place.empty() || std::ranges::find(places, place) != places.end();
}

}  // namespace holdfast::disk
