#include "csi-disk/program/claim_events.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace holdfast::disk {
namespace {

constexpr const char* kProgram = "csi-disk";
constexpr std::string_view kVolumePrefix = "pvc-";
constexpr std::size_t kUidLength = 36;
constexpr std::chrono::milliseconds kFarewell{2000};

std::string uid_of_claim(const std::string& volume) {
  const bool usual = volume.starts_with(kVolumePrefix) && volume.size() == kVolumePrefix.size() + kUidLength;
  return usual ? volume.substr(kVolumePrefix.size()) : "";
}

}  // namespace

std::optional<kube::EventNote> event_of(const DiskNote& note) {
  if (note.claim.empty() || note.name_space.empty()) return std::nullopt;
  return kube::EventNote{.kind = "PersistentVolumeClaim",
                         .name = note.claim,
                         .name_space = note.name_space,
                         .uid = uid_of_claim(note.volume),
                         .warning = true,
                         .reason = note.event,
                         .message = note.words};
}

ClaimEvents::ClaimEvents(EventLoop& loop, std::unique_ptr<kube::ClusterLink> link, std::string host)
    : loop_(loop),
      link_(std::move(link)),
      recorder_(loop, link_->client(), kProgram, std::move(host), link_->seed()),
      self_(std::make_shared<ClaimEvents*>(this)) {}

void ClaimEvents::tell(const DiskNote& note) {
  auto event = event_of(note);
  if (!event) return;
  loop_.post([self = std::weak_ptr(self_), event = *std::move(event)] {
    if (const auto alive = self.lock()) (*alive)->recorder_.record(event);
  });
}

void ClaimEvents::end(const std::function<void()>& done) { recorder_.when_written(kFarewell, done); }

}  // namespace holdfast::disk
