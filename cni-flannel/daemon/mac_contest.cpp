#include "cni-flannel/daemon/mac_contest.h"

namespace holdfast::flannel {

bool MacContest::may_correct(Time now) const {
  return corrections_.size() < kCorrections || now - corrections_.front() >= kWindow;
}

void MacContest::corrected(Time now) {
  if (corrections_.size() == kCorrections) corrections_.pop_front();
  corrections_.push_back(now);
}

void MacContest::settled(Time now) {
  if (corrections_.empty() || now - corrections_.back() >= kWindow) contested_by_.reset();
}

MacContest::Time MacContest::next_look(Time now) const {
  if (corrections_.empty()) return now + kWindow;
  return (may_correct(now) ? corrections_.back() : corrections_.front()) + kWindow;
}

}  // namespace holdfast::flannel
