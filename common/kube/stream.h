#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace holdfast::kube {

/// Cuts the stream of a watch into its lines as the bytes come. Holds no more than the line that is not
/// finished.
class LineSplitter {
 public:
  using Take = std::function<Status(std::string_view line)>;

  LineSplitter(std::size_t max_line_bytes, Take take) : max_bytes_(max_line_bytes), take_(std::move(take)) {}

  /// Hands out the lines that are whole now, without their ends; empty ones are left out. Errors: kDataLoss
  /// for a line that is longer than allowed; that of `take`, and then nothing more is handed out.
  Status push(std::string_view bytes);
  /// Nothing is begun that is not finished.
  [[nodiscard]] bool between_lines() const { return begun_.empty(); }

 private:
  std::size_t max_bytes_;
  Take take_;
  std::string begun_;
};

/// Takes the answer to a list apart as the bytes come, so that a page is never held whole: the text of each
/// element of the document's member "items" is handed out by itself; the rest is kept as the envelope, in
/// which that array is empty.
///
/// Brackets and strings are counted and nothing more is looked at: whether the texts are JSON, their parser
/// tells.
class ItemSplitter {
 public:
  using Take = std::function<Status(std::string_view item)>;

  ItemSplitter(std::size_t max_item_bytes, Take take) : max_bytes_(max_item_bytes), take_(std::move(take)) {}

  /// Errors: kDataLoss for an item or an envelope that is longer than allowed and for what is no JSON object;
  /// that of `take`, and then nothing more is handed out.
  Status push(std::string_view bytes);
  /// The document without its items. Errors: kDataLoss when it is not finished.
  [[nodiscard]] Result<std::string> envelope() const;

 private:
  Status take_byte(char c);
  Status keep(char c);
  Status hand_out();
  void open(char c);
  void in_string(char c);
  [[nodiscard]] bool between_items() const { return items_ && depth_ == 2; }

  std::size_t max_bytes_;
  Take take_;
  std::string envelope_;
  std::string item_;
  std::string name_;       // the document's own string that came last: the name of the member that follows
  std::size_t depth_ = 0;  // brackets open
  bool string_ = false;    // within one
  bool escaped_ = false;   // the string's next byte stands for itself
  bool items_ = false;     // within the array
};

}  // namespace holdfast::kube
