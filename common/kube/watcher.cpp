#include "common/kube/watcher.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"

namespace holdfast::kube {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kObjects = "application/json";
constexpr const char* kRowsOrObjects = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
constexpr int kOk = 200;
constexpr unsigned kMaxRefusals = 3;
// Of a server that goes on for ever: a million objects in pages of 500.
constexpr unsigned kMaxPages = 2000;
constexpr std::size_t kMaxFailureBytes = std::size_t{64} << 10;
constexpr seconds kServerIsLate{15};  // in ending a watch by its timeoutSeconds
constexpr seconds kShortButWhole{5};  // a watch that lasted less and told nothing is not begun again at once

tl::unexpected<Error> bad(std::string message) { return fail(Code::kDataLoss, std::move(message)); }

}  // namespace

// One page of a list on its way.
struct Watcher::Page {
  ItemSplitter items;
};

Watcher::Watcher(EventLoop& loop, Http& http, WatchOptions options, WatchConsumer& consumer,
                 std::uint64_t seed)
    : loop_(loop),
      http_(http),
      options_(std::move(options)),
      consumer_(consumer),
      backoff_(options_.first_wait, options_.longest_wait, seed),
      spread_(std::max(options_.longest_watch - options_.shortest_watch, seconds(1)),
              std::max(options_.longest_watch - options_.shortest_watch, seconds(1)), seed + 1),
      random_(seed),
      authority_(std::max(version_number(options_.resume_from), version_number(options_.known_version)),
                 options_.restored_store_wait),
      version_(options_.resume_from) {}

Watcher::~Watcher() = default;

void Watcher::start() { go_on(/*at_once=*/true); }

void Watcher::go_on(bool at_once, std::optional<seconds> retry_after) {
  exchange_.reset();
  std::chrono::nanoseconds wait{};
  if (!at_once) {
    wait = backoff_.next() + retry_after.value_or(seconds::zero());
  }
  wait_ = loop_.after(wait, [this] { step(); });
}

void Watcher::step() {
  if (version_.empty()) {
    begin_list();
  } else {
    begin_watch();
  }
}

std::string Watcher::query(const std::string& more) const {
  std::string out = options_.resource.path() + "?" + more;
  if (!options_.label_selector.empty()) {
    out += "&labelSelector=" + escape(options_.label_selector);
  }
  if (!options_.field_selector.empty()) {
    out += "&fieldSelector=" + escape(options_.field_selector);
  }
  return out;
}

void Watcher::begin_list() {
  list_version_.clear();
  continue_.clear();
  pages_ = 0;
  from_server_ = options_.confirmed_by == ConfirmedBy::kServer;
  next_list_.end();
  consumer_.list_begun();
  get_page();
}

void Watcher::get_page() {
  failure_.clear();
  head_ = {};
  page_ = std::make_unique<Page>(
      Page{.items = {options_.max_object_bytes, [this](std::string_view text) -> Status {
                       HOLDFAST_TRY(const json object, parse_object(text, options_.kept));
                       HOLDFAST_TRY(const ObjectId id, id_of(object));
                       if (id.name.empty()) {
                         return bad("an object of the list has no name");
                       }
                       consumer_.put(id, object);
                       return {};
                     }}});
  std::string page_query = "limit=" + std::to_string(options_.page_objects);
  page_query += continue_.empty() ? "" : "&continue=" + escape(continue_);
  audit_id_ = next_audit_id();
  exchange_ = http_.start({.path = query(page_query),
                           .resource = options_.resource.plural,
                           .audit_id = audit_id_,
                           .deadlines = options_.list_deadlines},
                          {.head = [this](const HttpHead& head) { head_ = head; },
                           .body = [this](std::string_view bytes) { return take_body(bytes); },
                           .end = [this](Status how) { page_ended(std::move(how)); }});
}

// Empty where none is needed.
std::string Watcher::next_audit_id() {
  if (options_.confirmed_by == ConfirmedBy::kWatch) return "";
  return "list-" + std::to_string(random_()) + "-" + std::to_string(random_());
}

Status Watcher::take_body(std::string_view bytes) {
  if (head_.status != kOk) {
    failure_ += bytes.substr(0, kMaxFailureBytes - std::min(kMaxFailureBytes, failure_.size()));
    return {};
  }
  return page_ ? page_->items.push(bytes) : take_lines(bytes);
}

void Watcher::page_ended(Status how) {
  if (how && head_.status != kOk) {
    how = tl::unexpected(error_of_answer(head_.status, failure_));
  }
  if (how) {
    how = take_page();
  }
  page_.reset();
  if (!how) {
    consumer_.trouble(std::move(how).error().within("list " + options_.resource.plural));
    go_on(/*at_once=*/false, head_.retry_after);
    return;
  }
  if (!continue_.empty()) {
    get_page();
    return;
  }
  version_ = list_version_;
  unconfirmed_ = version_number(version_);
  consumer_.list_read();
  consumer_.version(version_);
  if (from_server_) confirm(*unconfirmed_);
  begin_watch();
}

Status Watcher::take_page() {
  HOLDFAST_TRY(const std::string text, page_->items.envelope());
  HOLDFAST_TRY(const json envelope, parse_json(text, {.max_bytes = text.size()}));
  const auto metadata = envelope.find("metadata");
  if (!text_of(envelope, "kind").ends_with("List") || metadata == envelope.end() || !metadata->is_object()) {
    return bad("the answer is no list");
  }
  const std::string page_version = text_of(*metadata, "resourceVersion");
  if (!version_number(page_version)) {
    return bad("the list has the resourceVersion '" + page_version + "', from which nothing can be watched");
  }
  const bool first = list_version_.empty();
  if (!first && page_version != list_version_) {
    return bad("two pages of the list have different versions, " + list_version_ + " and " + page_version);
  }
  list_connection_ = first || head_.connection == list_connection_ ? head_.connection : 0;
  from_server_ = from_server_ && head_.audit_id == audit_id_;
  list_version_ = page_version;
  std::string next = text_of(*metadata, "continue");
  if (!next.empty() && (next == continue_ || ++pages_ == kMaxPages)) {
    return bad("the list does not come to its end (pages read: " + std::to_string(pages_) + ")");
  }
  continue_ = std::move(next);
  return {};
}

void Watcher::begin_watch() {
  failure_.clear();
  head_ = {};
  told_something_ = false;
  refused_ = false;
  watch_began_ = loop_.clock().since_boot();
  lines_ = std::make_unique<LineSplitter>(options_.max_object_bytes,
                                          [this](std::string_view line) { return take_line(line); });
  rows_ = std::make_unique<TableRows>(options_.columns, options_.row_base);
  const seconds length = options_.shortest_watch + std::chrono::floor<seconds>(spread_.next());
  const char* const form = wants_rows() ? "&includeObject=None" : "";
  exchange_ =
      http_.start({.path = query("watch=true&allowWatchBookmarks=true&resourceVersion=" + escape(version_) +
                                 "&timeoutSeconds=" + std::to_string(length.count()) + form),
                   .accept = wants_rows() ? kRowsOrObjects : kObjects,
                   .resource = options_.resource.plural,
                   .deadlines = {.silence = length + kServerIsLate, .whole = length + 2 * kServerIsLate}},
                  {.head = [this](const HttpHead& head) { watch_answered(head); },
                   .body = [this](std::string_view bytes) { return take_body(bytes); },
                   .end = [this](Status how) { watch_ended(std::move(how)); }});
}

void Watcher::watch_answered(const HttpHead& head) {
  head_ = head;
  watching_ = head.status == kOk;
  const bool moved = list_connection_ == 0 || head.connection != list_connection_;
  if (moved && std::exchange(unconfirmed_, std::nullopt)) {
    list_after(std::exchange(moved_, true) ? options_.restored_store_wait : options_.moved_watch_wait);
  }
  if (watching_) {
    consumer_.connected();
  }
}

void Watcher::moved_to(const std::string& resource_version) {
  const auto number = version_number(resource_version);
  told_something_ = true;
  refusals_ = 0;
  backoff_.reset();
  if (!number) {
    return;
  }
  if (*number > version_number(version_).value_or(0)) {
    version_ = resource_version;
    consumer_.version(version_);
  }
  confirm(*number);
  authority_.saw(*number);
}

void Watcher::confirm(std::uint64_t version) {
  if (!unconfirmed_ || version < *unconfirmed_) {
    return;
  }
  const auto now = loop_.clock().since_boot();
  if (authority_.accepts(*std::exchange(unconfirmed_, std::nullopt), now)) {
    moved_ = false;
    consumer_.list_authoritative();
  } else if (const auto at = authority_.next_list_at()) {
    list_after(std::max(*at - now, std::chrono::nanoseconds::zero()));
  }
}

void Watcher::list_after(std::chrono::nanoseconds wait) {
  next_list_ = loop_.after(wait + backoff_.next(), [this] {
    version_.clear();
    watching_ = false;
    go_on(/*at_once=*/true);
  });
}

void Watcher::watch_ended(Status how) {
  watching_ = false;
  half_line_.end();
  const bool list_unconfirmed = std::exchange(unconfirmed_, std::nullopt).has_value();
  if (list_unconfirmed) {
    list_after(options_.restored_store_wait);
  }
  if (how && head_.status != kOk) {
    how = tl::unexpected(error_of_answer(head_.status, failure_));
    refused_ = how.error().code != Code::kResourceExhausted;
  }
  if (how) {
    const bool whole = told_something_ || loop_.clock().since_boot() - watch_began_ >= kShortButWhole;
    if (whole) {
      backoff_.reset();
    }
    go_on(whole);
    return;
  }
  if (how.error().code == Code::kUnimplemented) {  // no such rows: the same watch, of objects
    version_ = list_unconfirmed ? "" : version_;
    go_on(/*at_once=*/true);
    return;
  }
  refusals_ += refused_ ? 1 : 0;
  if ((refused_ && how.error().code == Code::kOutOfRange) || refusals_ >= kMaxRefusals) {
    refusals_ = 0;
    version_.clear();
  }
  consumer_.trouble(std::move(how).error().within("watch " + options_.resource.plural));
  go_on(/*at_once=*/false, head_.retry_after);
}

}  // namespace holdfast::kube
