#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/folder_watch.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/csi/unix_listener.h"

namespace holdfast::csi {

/// A UNIX socket that is there as long as this is: made again when its file or its folder has been removed,
/// as happens to a kubelet's folders. Of the event loop's thread.
class KeptSocket {
 public:
  /// Whose the socket's folder is.
  enum class Folder : std::uint8_t {
    kOurs,    ///< made (0750) when it is missing
    kOthers,  ///< waited for: kubelet makes its own
  };
  struct Place {
    std::filesystem::path path;
    Folder folder = Folder::kOurs;
  };
  /// Gets a connection, non-blocking.
  using OnConnection = std::function<void(Fd)>;

  /// All outlive it.
  struct Context {
    EventLoop& loop;
    Files& files;
    Logger& log;
  };
  KeptSocket(const Context& context, Place place, OnConnection on_connection);
  KeptSocket(const KeptSocket&) = delete;
  KeptSocket& operator=(const KeptSocket&) = delete;
  ~KeptSocket() = default;

  /// Puts the socket there and keeps it from now on. Errors: those of UnixListener::open, and errno of a
  /// folder of ours that cannot be made. A folder of others that is missing is none: it is waited for.
  Status open();
  /// Takes the file away and puts a new one there, so that those who watch the folder look again.
  void renew();
  [[nodiscard]] bool present() const { return listener_ && listener_->in_place(); }

 private:
  static constexpr std::chrono::seconds kLookAgain{30};  // where inotify says nothing
  static constexpr std::chrono::seconds kRest{1};        // when no descriptor is left

  Status put();
  void watch_folder();
  void look();
  void take_connections();
  void tell_once(const Error& error);

  Context context_;
  Place place_;
  OnConnection on_connection_;
  // Watches behind what they watch, so that they end first.
  std::optional<UnixListener> listener_;
  std::optional<FolderWatch> folder_;
  EventLoop::Watch connections_;
  EventLoop::Watch folder_news_;
  EventLoop::Timer next_look_;
  EventLoop::Timer rest_;
  bool served_ = false;  // until it was renewed or found to be gone
  std::string told_;
};

}  // namespace holdfast::csi
