#include "cni-flannel/ipam/binding_records.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace holdfast::flannel {
namespace {

// What the log will say of the pod that asks.
Binding record_of(const AllocationRequest& request, const Decision& decision, const Moment& moment) {
  Binding own;
  own.key = *key_of(request);
  own.uid = request.pod->uid;
  own.container_id = request.attachment.container_id;
  own.boot_id = moment.boot_id;
  own.host_link = request.host_link;
  own.wall_time = moment.wall_time;
  own.uptime = moment.uptime;
  std::ranges::transform(decision.choices, std::back_inserter(own.addresses),
                         [](const Choice& choice) { return choice.assigned.address.address(); });
  return own;
}

bool is_any_of(const std::vector<Attachment>& attachments, const Binding& binding) {
  return std::ranges::any_of(attachments, [&binding](const Attachment& attachment) {
    return attachment.container_id == binding.container_id && attachment.ifname == binding.key.ifname;
  });
}

}  // namespace

std::optional<PodKey> key_of(const AllocationRequest& request) {
  if (!request.pod) {
    return std::nullopt;
  }
  return PodKey{request.pod->name_space, request.pod->name, request.attachment.ifname};
}

const Binding* find_binding(const std::vector<Binding>& bindings, const PodKey& key) {
  const auto found = std::ranges::find(bindings, key, &Binding::key);
  return found == bindings.end() ? nullptr : &*found;
}

Binding marked_absent(Binding binding, const Moment& moment) {
  binding.state = BindingState::kAbsent;
  binding.boot_id = moment.boot_id;
  binding.wall_time = moment.wall_time;
  binding.uptime = moment.uptime;
  return binding;
}

std::vector<Binding> records_of_allocation(const std::vector<Binding>& bindings, const IpamConfig& config,
                                           const AllocationRequest& request, const Decision& decision,
                                           const Moment& moment) {
  std::vector<Binding> records;
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    const Binding& binding = bindings[i];
    if (std::ranges::binary_search(decision.ended, i)) {
      records.push_back(binding);
      records.back().state = BindingState::kEnded;
    } else if (config.binding_ttl && binding.state == BindingState::kPresent &&
               binding.boot_id != moment.boot_id) {
      records.push_back(marked_absent(binding, moment));
    }
  }
  if (request.pod) {
    records.push_back(record_of(request, decision, moment));
  }
  return records;
}

std::vector<Binding> records_of_collection(const std::vector<Binding>& bindings, const IpamConfig& config,
                                           const std::vector<Attachment>& valid, const Moment& moment) {
  std::vector<Binding> records;
  for (const Binding& binding : bindings) {
    const bool was_present =
        binding.state == BindingState::kPresent && (binding.boot_id == moment.boot_id || config.binding_ttl);
    if (was_present && !is_any_of(valid, binding)) {
      records.push_back(marked_absent(binding, moment));
    }
  }
  return records;
}

std::vector<Binding> undo_of(const std::vector<Binding>& records, const std::vector<Binding>& bindings) {
  std::vector<Binding> undo;
  for (const Binding& record : records) {
    const Binding* before = find_binding(bindings, record.key);
    undo.push_back(before == nullptr ? record : *before);
    if (before == nullptr) {
      undo.back().state = BindingState::kEnded;
    }
  }
  return undo;
}

std::string describe(const Binding& binding) {
  std::string text = binding.key.name_space + "/" + binding.key.name + " (" + binding.key.ifname + ")";
  for (const IpAddress& address : binding.addresses) {
    text += " " + address.to_string();
  }
  return text;
}

}  // namespace holdfast::flannel
