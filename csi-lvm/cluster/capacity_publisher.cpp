#include "csi-lvm/cluster/capacity_publisher.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::lvm {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 2> kVersions{"v1", "v1beta1"};
constexpr const char* kPlural = "csistoragecapacities";
constexpr const char* kGroup = "storage.k8s.io";
constexpr std::size_t kMostWrites = 8;
constexpr std::chrono::minutes kAskAgain{5};
constexpr std::chrono::milliseconds kFirstWait{200};
constexpr std::chrono::seconds kLongestWait{30};
constexpr std::chrono::seconds kPatience{20};

bool has_capacities(const json& discovery) {
  const auto resources = discovery.find("resources");
  return resources != discovery.end() && resources->is_array() &&
         std::ranges::any_of(*resources, [](const json& resource) {
           return resource.is_object() && kube::text_of(resource, "name") == kPlural;
         });
}

}  // namespace

CapacityPublisher::CapacityPublisher(const Context& context, Options options)
    : context_(context),
      options_(std::move(options)),
      classes_(decode_storage_class, {.changed = [this](const std::string& /*name*/) { look_later(); },
                                      .listed = [this] { look_later(); },
                                      .trouble = [this](const Error& error) { told_trouble(error); }}),
      actual_(decode_capacity, {.changed = [this](const std::string& /*name*/) { look_later(); },
                                .listed = [this] { look_later(); },
                                .trouble = [this](const Error& error) { told_trouble(error); }}),
      backoff_(kFirstWait, kLongestWait, options_.seed) {
  context_.state.on_change([this] { look(); });
}

void CapacityPublisher::start() { ask_for_kind(); }

void CapacityPublisher::lead(bool leads) {
  leads_ = leads;
  if (!leads) calls_.clear();
  look_later();
}

kube::Resource CapacityPublisher::capacities() const {
  return {.group = kGroup, .version = version_, .plural = kPlural, .name_space = options_.name_space};
}

void CapacityPublisher::ask_for_kind() {
  question_ = context_.client.get_document(std::string("/apis/") + kGroup + "/" + kVersions.at(asked_),
                                           [this](const Result<json>& discovery) { kind_read(discovery); },
                                           {.deadline = kPatience});
}

void CapacityPublisher::kind_read(const Result<json>& discovery) {
  question_.reset();
  if (discovery && has_capacities(*discovery)) {
    version_ = kVersions.at(asked_);
    return look_later();
  }
  const bool absent = discovery || discovery.error().code == Code::kNotFound;
  if (absent) asked_ = (asked_ + 1) % kVersions.size();
  const bool all_absent = absent && asked_ == 0;
  retry_ = context_.loop.after(all_absent ? std::chrono::nanoseconds(kAskAgain) : backoff_.next(),
                               [this] { ask_for_kind(); });
}

void CapacityPublisher::watch() {
  kube::WatchOptions classes;
  classes.resource = {.group = kGroup, .version = "v1", .plural = "storageclasses"};
  classes.kept = {"provisioner", "parameters"};
  classes.restored_store_wait = kube::kConfirmAgain;
  classes.confirmed_by = kube::ConfirmedBy::kServer;
  class_watcher_ = std::make_unique<kube::Watcher>(context_.loop, context_.http, std::move(classes), classes_,
                                                   options_.seed + 1);
  class_watcher_->start();
  kube::WatchOptions ours;
  ours.resource = capacities();
  ours.kept = {"storageClassName", "nodeTopology", "capacity", "maximumVolumeSize"};
  ours.restored_store_wait = kube::kConfirmAgain;
  ours.confirmed_by = kube::ConfirmedBy::kServer;
  ours.label_selector = std::string(kManagedBy) + "=" + kCapacityManager;
  capacity_watcher_ = std::make_unique<kube::Watcher>(context_.loop, context_.http, std::move(ours), actual_,
                                                      options_.seed + 2);
  capacity_watcher_->start();
}

void CapacityPublisher::look_later() {
  if (!soon_.pending()) soon_ = context_.loop.after({}, [this] { look(); });
}

// Nothing is taken for vanished before all kinds have been listed whole.
void CapacityPublisher::look() {
  if (!version_.empty() && !class_watcher_ && context_.state.is_known()) watch();
  const bool knows = context_.state.is_known() && classes_.has_list() && actual_.has_list();
  if (!leads_ || !knows || retry_.pending()) return;
  const std::map<std::string, CapacityObject> wanted =
      wanted_capacities(context_.state, classes_.all(), options_.driver, options_.topology_key);
  for (const auto& [name, object] : wanted) {
    if (calls_.size() >= kMostWrites) return;
    const CapacityObject* actual = actual_.find(name);
    const bool same = actual != nullptr && actual->says_the_same(object);
    if (!same && !calls_.contains(name)) put(object, actual);
  }
  const bool whole = context_.state.knows_all_storages() && classes_.is_whole();
  for (const auto& [name, object] : actual_.all()) {
    if (!whole || calls_.size() >= kMostWrites) return;
    if (!wanted.contains(name) && !calls_.contains(name)) remove(object);
  }
}

// What an object is of cannot be changed: one of something else under our name goes first.
void CapacityPublisher::put(const CapacityObject& wanted, const CapacityObject* actual) {
  if (actual != nullptr && !actual->is_of_same(wanted)) return remove(*actual);
  const std::string& name = wanted.id.name;
  const auto done = [this, name](const Result<json>& kept) { ended(name, kept); };
  const kube::CallOptions options{
      .kept = {"storageClassName", "nodeTopology", "capacity", "maximumVolumeSize"}, .deadline = kPatience};
  if (actual == nullptr) {
    write(name, context_.client.create(capacities(), encode_capacity(wanted, version_, options_.driver), done,
                                       options));
  } else {
    write(name, context_.client.merge(capacities(), name,
                                      {{"capacity", wanted.capacity}, {"maximumVolumeSize", wanted.maximum}},
                                      done, options));
  }
}

void CapacityPublisher::remove(const CapacityObject& actual) {
  const auto done = [this, id = actual.id](const Result<json>& kept) {
    if (kept || kept.error().code == Code::kNotFound) actual_.removed(id);
    ended(id.name, kept ? Result<json>(json::object()) : kept);
  };
  write(actual.id.name,
        context_.client.remove(capacities(), actual.id.name, actual.id.uid, done, {.deadline = kPatience}));
}

void CapacityPublisher::ended(const std::string& name, const Result<json>& kept) {
  calls_.erase(name);
  if (kept) {
    backoff_.reset();
    actual_.told(*kept);
    return look_later();
  }
  told_trouble(Error(kept.error()).within("write the CSIStorageCapacity " + name));
  retry_ = context_.loop.after(backoff_.next(), [this] { look_later(); });
}

void CapacityPublisher::told_trouble(const Error& error) {
  context_.log.warning("capacity", {{"why", error.message}});
}

}  // namespace holdfast::lvm
