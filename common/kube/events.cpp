#include "common/kube/events.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::kube {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kFirstWait{5};
constexpr std::chrono::minutes kLongestWait{5};
constexpr char kBetween = '\n';  // no member of a note but the message can hold it
constexpr int kHex = 16;

Resource events_of(const EventNote& note) {
  return {.group = "",
          .version = "v1",
          .plural = "events",
          .name_space = note.name_space.empty() ? "default" : note.name_space};
}

std::string all_but_message(const EventNote& note) {
  std::string out;
  for (const std::string* part : {&note.kind, &note.name_space, &note.name, &note.uid, &note.reason}) {
    out += *part + kBetween;
  }
  return out + (note.warning ? "!" : "");
}

std::string hex(std::uint64_t number) {
  std::array<char, 2 * sizeof(number)> digits{};
  char* const first = digits.data();
  return {first, std::to_chars(first, first + digits.size(), number, kHex).ptr};
}

}  // namespace

EventRecorder::EventRecorder(EventLoop& loop, ObjectClient& client, std::string component, std::string host,
                             std::uint64_t seed)
    : loop_(loop),
      client_(client),
      component_(std::move(component)),
      host_(std::move(host)),
      last_number_(seed),
      backoff_(kFirstWait, kLongestWait, seed) {}

EventRecorder::~EventRecorder() = default;

void EventRecorder::record(EventNote note) {
  note.message.resize(std::min(note.message.size(), kMaxMessage));
  forget_old();
  Entry& entry = entry_for(note);
  entry.note = std::move(note);
  entry.last = loop_.clock().now();
  entry.last_seen = loop_.clock().since_boot();
  if (entry.count++ == 0) {
    entry.first = entry.last;
  }
  plan();
}

EventRecorder::Entry& EventRecorder::entry_for(EventNote& note) {
  const std::string similar = all_but_message(note);
  std::set<std::string>& messages = similar_[similar];
  std::string key = similar;
  if (messages.contains(note.message) || messages.size() < kMaxSimilar) {
    messages.insert(note.message);
    key += kBetween + note.message;
  } else {
    note.message = "(combined from similar events): " + note.message;
  }
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    return found->second;
  }
  if (entries_.size() == kMaxKept) {
    forget(std::ranges::min_element(entries_, {}, [](const auto& each) { return each.second.last_seen; }));
  }
  Entry& made = entries_[key];
  made.event = note.name + "." + hex(++last_number_);
  return made;
}

void EventRecorder::forget(Entries::iterator entry) {
  if (const auto found = similar_.find(all_but_message(entry->second.note)); found != similar_.end()) {
    found->second.erase(entry->second.note.message);
    if (found->second.empty()) {
      similar_.erase(found);
    }
  }
  entries_.erase(entry);
}

void EventRecorder::forget_old() {
  const nanoseconds before = loop_.clock().since_boot() - kForgetAfter;
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto entry = at++;
    if (entry->second.written == entry->second.count && entry->second.last_seen < before) {
      forget(entry);
    }
  }
}

void EventRecorder::when_written(std::chrono::milliseconds patience, EventLoop::Callback done) {
  all_written_ = std::move(done);
  end_waiting_after(unwritten() == 0 ? std::chrono::milliseconds::zero() : patience);
}

void EventRecorder::end_waiting_after(std::chrono::milliseconds time) {
  patience_ = loop_.after(time, [this] { std::exchange(all_written_, nullptr)(); });
}

std::size_t EventRecorder::unwritten() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const auto& entry) { return entry.second.written == 0; }));
}

nanoseconds EventRecorder::due(const Entry& entry) const {
  const nanoseconds affordable = paid_until_ - (kBurst - 1) * kOneEvery;
  const nanoseconds repeatable = entry.written == 0 ? nanoseconds{} : entry.last_written + kRepeatEvery;
  return std::max({affordable, repeatable, not_before_});
}

EventRecorder::Entries::iterator EventRecorder::next_due() {
  auto best = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const bool changed = at->second.count > at->second.written;
    if (changed && (best == entries_.end() || due(at->second) < due(best->second))) {
      best = at;
    }
  }
  return best;
}

void EventRecorder::plan() {
  const auto entry = next_due();
  if (call_ || entry == entries_.end()) {
    return;
  }
  const nanoseconds wait = due(entry->second) - loop_.clock().since_boot();
  next_ = loop_.after(std::max(wait, nanoseconds{}), [this] { write_next(); });
}

void EventRecorder::write_next() {
  const auto found = next_due();
  if (found == entries_.end() || due(found->second) > loop_.clock().since_boot()) {
    plan();
    return;
  }
  const Entry& entry = found->second;
  paid_until_ = std::max(paid_until_, loop_.clock().since_boot()) + kOneEvery;
  const auto done = [this, key = found->first, count = entry.count](const Result<json>& outcome) {
    wrote(key, count, outcome);
  };
  if (entry.there) {
    const json change{
        {"count", entry.count}, {"lastTimestamp", utc_text(entry.last)}, {"message", entry.note.message}};
    call_ = client_.merge(events_of(entry.note), entry.event, change, done);
  } else {
    call_ = client_.create(events_of(entry.note), event_of(entry), done);
  }
}

void EventRecorder::wrote(const std::string& key, std::uint64_t count, const Result<json>& outcome) {
  call_.reset();
  const nanoseconds now = loop_.clock().since_boot();
  const auto found = entries_.find(key);
  const bool exists = !outcome && outcome.error().code == Code::kAlreadyExists;  // by an answer that was lost
  const bool expired = !outcome && outcome.error().code == Code::kNotFound;
  if (found != entries_.end()) {
    Entry& entry = found->second;
    entry.there = outcome || exists;
    if (outcome) {
      entry.written = count;
      entry.last_written = now;
    }
  }
  if (outcome) {
    backoff_.reset();
  } else if (!exists && !expired) {
    not_before_ = now + kFirstWait + backoff_.next();
  }
  if (all_written_ && unwritten() == 0) {
    end_waiting_after({});
  }
  plan();
}

json EventRecorder::event_of(const Entry& entry) const {
  const EventNote& note = entry.note;
  json about{{"apiVersion", note.api_version}, {"kind", note.kind}, {"name", note.name}, {"uid", note.uid}};
  const Resource resource = events_of(note);
  if (!note.name_space.empty()) {
    about["namespace"] = note.name_space;
  }
  return {{"apiVersion", "v1"},
          {"kind", "Event"},
          {"metadata", {{"name", entry.event}, {"namespace", resource.name_space}}},
          {"involvedObject", std::move(about)},
          {"type", note.warning ? "Warning" : "Normal"},
          {"reason", note.reason},
          {"message", note.message},
          {"source", {{"component", component_}, {"host", host_}}},
          {"firstTimestamp", utc_text(entry.first)},
          {"lastTimestamp", utc_text(entry.last)},
          {"count", entry.count}};
}

}  // namespace holdfast::kube
