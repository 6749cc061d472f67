#pragma once

#include <utility>

#include "common/base/result.h"
#include "common/cloud/call_error.h"

namespace holdfast::disk {

/// What was read of an answer. One that lacks what it should have: nobody can say what was done.
template <class T>
[[nodiscard]] cloud::Answer<T> checked_answer(Result<T> read) {
  if (read) return *std::move(read);
  return cloud::ends(cloud::CallEnd::kUnknownOutcome,
                     "the answer is not of the API: " + read.error().message);
}

/// What is deleted is not there.
[[nodiscard]] inline cloud::Done gone(cloud::Done done) {
  if (!done && done.error().end == cloud::CallEnd::kNoSuchThing) return {};
  return done;
}

}  // namespace holdfast::disk
