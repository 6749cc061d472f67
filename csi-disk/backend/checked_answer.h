#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/cloud/call_error.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// What was read of an answer. One that lacks what it should have: nobody can say what was done.
template <class T>
[[nodiscard]] cloud::Answer<T> checked_answer(Result<T> read) {
  if (read) return *std::move(read);
  return cloud::ends(cloud::CallEnd::kUnknownOutcome,
                     "the answer is not of the API: " + read.error().message);
}

/// How many pages of a list are read that is short as a rule.
inline constexpr int kMostPages = 10;

/// What describes has no way to say that a thing is not there but to leave it out: a cloud that says it of
/// the whole request means something else.
template <class T>
[[nodiscard]] cloud::Answer<T> described(cloud::Answer<T> answer) {
  if (answer || answer.error().end != cloud::CallEnd::kNoSuchThing) return answer;
  cloud::CallError error = std::move(answer).error();
  error.end = cloud::CallEnd::kUnknownOutcome;
  return tl::unexpected(std::move(error));
}

/// All items of a list whose page at `from` (empty: the first) `read` gets. Errors: `read`'s; kUnknownOutcome
/// for a list of more than kMostPages pages.
template <class T, class Read>
[[nodiscard]] cloud::Answer<std::vector<T>> all_pages(const Read& read) {
  std::vector<T> out;
  std::string from;
  for (int n = 0; n < kMostPages; ++n) {
    cloud::Answer<Page<T>> page = read(from);
    if (!page) return tl::unexpected(std::move(page).error());
    std::ranges::move(page->items, std::back_inserter(out));
    if (page->next.empty()) return out;
    from = std::move(page->next);
  }
  return cloud::ends(cloud::CallEnd::kUnknownOutcome,
                     "the list has more than " + std::to_string(kMostPages) + " pages");
}

/// What is deleted is not there.
[[nodiscard]] inline cloud::Done gone(cloud::Done done) {
  if (!done && done.error().end == cloud::CallEnd::kNoSuchThing) return {};
  return done;
}

}  // namespace holdfast::disk
