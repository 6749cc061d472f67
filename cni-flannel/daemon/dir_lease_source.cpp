#include "cni-flannel/daemon/dir_lease_source.h"

#include <malloc.h>

#include <algorithm>
#include <string>
#include <utility>

namespace holdfast::flannel {
namespace {

// A copy of many files is many events: they are taken together.
constexpr std::chrono::milliseconds kGather{1};
// Of the time at most a fifth goes into reading a folder that does not stop changing.
constexpr int kRestFactor = 4;
// What reading so many documents took is given back: it is many times what is kept of them, and lies between
// it, so that the heap keeps it else.
constexpr std::size_t kManyNodes = 200;
constexpr std::size_t kNotesTold = 3;

/// Of what could not be used the first, how many more, and what follows from it.
std::string summary(const std::vector<std::string>& notes) {
  if (notes.empty()) return "";
  std::string out;
  for (std::size_t i = 0; i < std::min(notes.size(), kNotesTold); ++i) out += notes[i] + "; ";
  if (notes.size() > kNotesTold) out += std::to_string(notes.size() - kNotesTold) + " more; ";
  return out + "until that is mended no node counts as removed";
}

}  // namespace

Status DirLeaseSource::start(LeaseConsumer& consumer) {
  consumer_ = &consumer;
  HOLDFAST_TRY(changes_, FolderWatch::open(folder_.path()));
  HOLDFAST_TRY(watch_, loop_.watch(changes_->fd(), {.readable = true}, [this](Readiness) { news(); }));
  read_after({});
  return {};
}

void DirLeaseSource::publish(const NodeNetwork& /*own*/, const NodeNetworkStatus& /*status*/) {}

void DirLeaseSource::refuse(const Condition& /*why*/, std::function<void()> done) {
  next_ = loop_.after({}, std::move(done));
}

void DirLeaseSource::look_again() {
  news_.all = true;
  read_after({});
}

void DirLeaseSource::news() {
  Result<FolderNews> news = changes_->drain();
  if (news) {
    news_.all = news_.all || news->all;
    std::erase_if(news->names, [](const std::string& name) { return !NodeFolder::concerned_by(name); });
    news_.names.merge(news->names);
  } else {  // a folder that cannot be watched is read again and again
    news_.all = true;
    consumer_->health({false, news.error().message});
  }
  if (soon_ || (!news_.all && news_.names.empty())) return;
  const auto rested = read_ended_ + took_ * kRestFactor - loop_.clock().since_boot();
  read_after(std::max<std::chrono::nanoseconds>(kGather, rested));
}

void DirLeaseSource::read_after(std::chrono::nanoseconds delay) {
  soon_ = delay < kRescan;
  next_ = loop_.after(delay, [this] { read(); });
}

void DirLeaseSource::read() {
  const auto begun = loop_.clock().since_boot();
  const FolderNews news = std::exchange(news_, {});
  // without news it is time for a look at all
  Result<FolderContent> content = news.all || news.names.empty() ? folder_.read() : folder_.read(news.names);
  read_ended_ = loop_.clock().since_boot();
  took_ = read_ended_ - begun;
  read_after(kRescan);
  if (content) {
    tell(*std::move(content));
  } else {
    consumer_->health({false, content.error().message});
  }
}

void DirLeaseSource::tell(FolderContent content) {
  const bool many = content.changed.size() >= kManyNodes;
  for (NodeNetworkObject& node : content.changed) consumer_->upsert(std::move(node));
  if (content.whole) consumer_->listed(content.names);
  consumer_->health({true, summary(content.notes)});
  content = {};
  if (many) ::malloc_trim(0);
}

}  // namespace holdfast::flannel
