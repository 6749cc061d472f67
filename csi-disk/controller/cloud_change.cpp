#include "csi-disk/controller/cloud_change.h"

namespace holdfast::disk {

bool is_in_use(const cloud::CallError& error) {
  return error.end == cloud::CallEnd::kRefused && cloud::refusal_of(error.code) == cloud::Refusal::kInUse;
}

tl::unexpected<Error> under_way(std::string_view what) {
  return fail(Code::kAborted, std::string(what) + " is under way: ask again");
}

cloud::Done CloudChange::answered(cloud::Done done) {
  if (done) {
    taken_ = true;
    refused_.reset();
    since_ = budget_.now();
    return {};
  }
  if (!is_in_use(done.error())) return done;
  if (!refused_) since_ = budget_.now();
  refused_ = std::move(done).error();
  return {};
}

tl::unexpected<Error> CloudChange::unfinished() const {
  if (!refused_) return under_way(what_);
  return fail(Code::kAborted, what_ + " is refused by the cloud so far: " +
                                  cloud::to_error(*refused_).message + "; ask again");
}

}  // namespace holdfast::disk
