#include "common/kube/stream.h"

#include <algorithm>

namespace holdfast::kube {
namespace {

constexpr std::string_view kItems = "items";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

tl::unexpected<Error> too_long(std::string_view what, std::size_t max_bytes) {
  std::string message(what);
  message += " is longer than " + std::to_string(max_bytes) + " bytes";
  return fail(Code::kDataLoss, std::move(message));
}

}  // namespace

Status LineSplitter::push(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    if (begun_.size() + end > max_bytes_) {
      return too_long("a line of the watch", max_bytes_);
    }
    begun_ += bytes.substr(0, end);
    if (end == bytes.size()) {
      return {};
    }
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(begun_, {});
    if (!line.empty()) {
      HOLDFAST_CHECK(take_(line));
    }
  }
  return {};
}

Status ItemSplitter::push(std::string_view bytes) {
  for (const char c : bytes) {
    HOLDFAST_CHECK(take_byte(c));
  }
  return {};
}

Status ItemSplitter::take_byte(char c) {
  if (string_) {
    in_string(c);
    return keep(c);
  }
  const bool outside = depth_ == 0;
  if (outside && !is_blank(c) && (c != '{' || !envelope_.empty())) {
    return fail(Code::kDataLoss, "the list is not one JSON object");
  }
  if (is_blank(c)) {
    return {};
  }
  if (between_items() && (c == ',' || c == ']')) {
    HOLDFAST_CHECK(hand_out());
    if (c == ',') {
      return {};
    }
    items_ = false;
  }
  Status kept = keep(c);
  if (c == '{' || c == '[') {
    open(c);
  } else if (c == '}' || c == ']') {
    --depth_;
  } else if (c == '"') {
    string_ = true;
    if (depth_ == 1) {
      name_.clear();
    }
  }
  return kept;
}

void ItemSplitter::open(char c) {
  ++depth_;
  if (depth_ == 2 && c == '[' && name_ == kItems) {
    items_ = true;
  }
}

void ItemSplitter::in_string(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    string_ = false;
    return;
  }
  if (depth_ == 1 && name_.size() <= kItems.size()) {
    name_.push_back(c);
  }
}

Status ItemSplitter::keep(char c) {
  std::string& text = items_ ? item_ : envelope_;
  if (text.size() == max_bytes_) {
    return too_long(items_ ? "an object of the list" : "the list without its objects", max_bytes_);
  }
  text.push_back(c);
  return {};
}

Status ItemSplitter::hand_out() {
  const std::string item = std::exchange(item_, {});
  return item.empty() ? Status{} : take_(item);
}

Result<std::string> ItemSplitter::envelope() const {
  if (depth_ != 0 || envelope_.empty()) {
    return fail(Code::kDataLoss, "the list ends before its end");
  }
  return envelope_;
}

}  // namespace holdfast::kube
