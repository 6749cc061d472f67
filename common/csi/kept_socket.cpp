#include "common/csi/kept_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace holdfast::csi {
namespace {

constexpr mode_t kFolderMode = 0750;
constexpr int kConnectionsATurn = 16;

}  // namespace

KeptSocket::KeptSocket(const Context& context, Place place, OnConnection on_connection)
    : context_(context), place_(std::move(place)), on_connection_(std::move(on_connection)) {}

Status KeptSocket::open() {
  watch_folder();  // before the socket is there, so that no removal is missed
  if (Status there = put(); !there) {
    if (place_.folder == Folder::kOurs || there.error().code != Code::kNotFound) {
      folder_news_.end();
      return there;
    }
    tell_once(there.error());
  }
  next_look_ = context_.loop.after(kLookAgain, [this] { look(); });
  return {};
}

void KeptSocket::renew() {
  connections_.end();
  listener_.reset();
  served_ = false;
  look();
}

Status KeptSocket::put() {
  if (place_.folder == Folder::kOurs) {
    HOLDFAST_CHECK(context_.files.make_folders(place_.path.parent_path(), kFolderMode));
  }
  connections_.end();
  listener_.reset();
  HOLDFAST_TRY(UnixListener fresh, UnixListener::open(place_.path));
  listener_.emplace(std::move(fresh));
  served_ = true;
  HOLDFAST_TRY(connections_, context_.loop.watch(listener_->fd(), {.readable = true},
                                                 [this](Readiness) { take_connections(); }));
  return {};
}

void KeptSocket::watch_folder() {
  Result<FolderWatch> watch = FolderWatch::open(place_.path.parent_path());
  if (!watch) {
    tell_once(std::move(watch).error());
    return;
  }
  folder_.emplace(*std::move(watch));
  Result<EventLoop::Watch> news =
      context_.loop.watch(folder_->fd(), {.readable = true}, [this](Readiness) { look(); });
  if (!news) return tell_once(std::move(news).error());
  folder_news_ = *std::move(news);
}

void KeptSocket::look() {
  next_look_ = context_.loop.after(kLookAgain, [this] { look(); });
  if (folder_) {
    if (const Result<FolderNews> news = folder_->drain(); !news) tell_once(news.error());
  }
  if (present()) return;
  const bool again = std::exchange(served_, false);
  if (const Status there = put(); !there) return tell_once(there.error());
  told_.clear();
  if (!again) return;
  context_.log.warning("a socket was removed and is there again", {{"path", place_.path.native()}});
}

void KeptSocket::take_connections() {
  for (int i = 0; i < kConnectionsATurn; ++i) {
    Fd fd(::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.valid()) {
      on_connection_(std::move(fd));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN) {
      // The connection stays in the backlog and would be told in every turn.
      tell_once(fail_errno(errno, "take a connection on " + place_.path.native()).value());
      static_cast<void>(connections_.change({}));
      rest_ =
          context_.loop.after(kRest, [this] { static_cast<void>(connections_.change({.readable = true})); });
    }
    return;
  }
}

void KeptSocket::tell_once(const Error& error) {
  if (std::exchange(told_, error.message) == error.message) return;
  context_.log.warning("a socket is not served now; it is tried again",
                       {{"path", place_.path.native()}, {"error", error.message}});
}

}  // namespace holdfast::csi
