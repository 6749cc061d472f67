#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <utility>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/watcher.h"

namespace holdfast::kube {

/// How soon a list is asked for again that its watch could not confirm. Nothing is lost by taking for absent
/// what a restored store has lost: that is told, or waited for much longer, and never a reason to remove a
/// volume.
inline constexpr std::chrono::seconds kConfirmAgain{10};

/// The objects of one kind as a watch tells them, by name. `Object` has a ObjectId `id`. One that
/// cannot be read is told as trouble and not held. Belongs to the event loop.
template <class Object>
class ObjectCache final : public WatchConsumer {
 public:
  using Decode = std::function<Result<Object>(const JsonObject&)>;
  struct Callbacks {
    std::function<void(const std::string& name)> changed{};  ///< put, replaced or gone
    /// Whether an object that is put says no more than the one that it replaces: nothing is `changed` then.
    /// Empty: each is news.
    std::function<bool(const Object& held, const Object& put)> same{};
    std::function<void()> listed{};  ///< has_list() or is_whole() has become true
    std::function<void(const Error&)> trouble{};
    std::function<void()>
        heard{};  ///< the server has told something, if only that nothing is new; may be empty
  };

  ObjectCache(Decode decode, Callbacks callbacks)
      : decode_(std::move(decode)), callbacks_(std::move(callbacks)) {}

  [[nodiscard]] const std::map<std::string, Object>& all() const { return objects_; }
  /// Null when there is none.
  [[nodiscard]] const Object* find(const std::string& name) const {
    const auto found = objects_.find(name);
    return found == objects_.end() ? nullptr : &found->second;
  }
  /// All that there were at one moment have been seen.
  [[nodiscard]] bool has_list() const { return has_list_; }
  /// What is not here is not there.
  [[nodiscard]] bool is_whole() const { return whole_; }

  /// An object as an answer to a call of ours has it: the watch will tell it later.
  void told(const nlohmann::json& object) {
    const Result<ObjectId> id = id_of(object);
    if (id && !id->name.empty()) put(*id, object);
  }

  void put(const ObjectId& id, const nlohmann::json& object) override {
    seen_.insert(id.name);
    if (is_older(id)) return;
    Result<Object> decoded = decode_(JsonObject(&object, ""));
    if (decoded) {
      const Object* held = find(id.name);
      const bool is_news = held == nullptr || !callbacks_.same || !callbacks_.same(*held, *decoded);
      objects_.insert_or_assign(id.name, *std::move(decoded));
      if (!is_news) return;
    } else {
      objects_.erase(id.name);
      callbacks_.trouble(std::move(decoded).error().within(id.name));
    }
    callbacks_.changed(id.name);
  }
  void removed(const ObjectId& id) override {
    const Object* held = find(id.name);
    if (held == nullptr || (!id.uid.empty() && held->id.uid != id.uid)) return;
    objects_.erase(id.name);
    callbacks_.changed(id.name);
  }
  void list_begun() override { seen_.clear(); }
  void list_read() override {
    has_list_ = true;
    callbacks_.listed();
  }
  void list_authoritative() override {
    std::set<std::string> gone;
    for (const auto& [name, object] : objects_) {
      if (!seen_.contains(name)) gone.insert(name);
    }
    for (const std::string& name : gone) {
      objects_.erase(name);
      callbacks_.changed(name);
    }
    whole_ = true;
    callbacks_.listed();
  }
  void version(const std::string& /*resource_version*/) override {
    if (callbacks_.heard) callbacks_.heard();
  }
  void connected() override {
    if (callbacks_.heard) callbacks_.heard();
  }
  void trouble(const Error& error) override { callbacks_.trouble(error); }

 private:
  // A watch may be behind an answer of our own.
  [[nodiscard]] bool is_older(const ObjectId& id) const {
    const Object* held = find(id.name);
    if (held == nullptr || held->id.uid != id.uid) return false;
    const auto before = version_number(held->id.resource_version);
    const auto now = version_number(id.resource_version);
    return before && now && *now < *before;
  }

  Decode decode_;
  Callbacks callbacks_;
  std::map<std::string, Object> objects_;
  std::set<std::string> seen_;  // since the last list began
  bool has_list_ = false;
  bool whole_ = false;
};

}  // namespace holdfast::kube
