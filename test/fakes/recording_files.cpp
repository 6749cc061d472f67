#include "test/fakes/recording_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using Kind = RecordingFiles::Kind;
using Operation = RecordingFiles::Operation;
using Entry = RecordingFiles::Entry;

constexpr std::size_t kAnySize = std::size_t{1} << 30;

struct Node;
// Shared, because between a rename and its syncs one file stands in several tables of names.
using NodePtr = std::shared_ptr<Node>;
using Names = std::map<std::string, NodePtr>;

struct Node {
  bool folder = false;
  mode_t mode = 0;
  std::string content;
  std::string durable_content;
  Names names;
  Names durable_names;
};

NodePtr make_node(bool folder, mode_t mode) {
  auto node = std::make_shared<Node>();
  node->folder = folder;
  node->mode = mode;
  return node;
}

std::string content_after(const Node& file, Loss loss) {
  const auto differs = std::ranges::mismatch(file.content, file.durable_content);
  const auto common = static_cast<std::size_t>(differs.in1 - file.content.begin());
  const std::size_t unsynced = file.content.size() - common;
  switch (loss) {
    case Loss::kAllUnsynced:
    case Loss::kNamesSurvive:
      break;
    case Loss::kTorn:
      return file.content.substr(0, common + unsynced / 2);
    case Loss::kZeroed:
      return file.content.substr(0, common) + std::string(unsynced, '\0');
  }
  return file.durable_content;
}

// The disk as the model in the header tells it: what processes see, and what is durable of it.
class Disk {
 public:
  explicit Disk(const std::vector<Entry>& initial) {
    for (const Entry& entry : initial) {
      auto node = make_node(!entry.content, entry.mode);
      node->content = node->durable_content = entry.content.value_or("");
      Node& parent = *at(entry.path.parent_path());
      parent.names[entry.path.filename()] = parent.durable_names[entry.path.filename()] = node;
    }
  }

  void apply(const Operation& operation) {
    switch (operation.kind) {
      case Kind::kRead:
      case Kind::kList:
        break;
      case Kind::kCreate:
      case Kind::kAppend:
      case Kind::kLock:
        file_at(operation.path, operation.mode).content += operation.bytes;
        break;
      case Kind::kOverwrite:
        file_at(operation.path, operation.mode).content = operation.bytes;
        break;
      case Kind::kTruncate:
        file_at(operation.path, operation.mode).content.resize(operation.size);
        break;
      case Kind::kSyncFile: {
        Node& file = *at(operation.path);
        file.durable_content = file.content;
        break;
      }
      case Kind::kSyncFolder: {
        Node& folder = *at(operation.path);
        folder.durable_names = folder.names;
        break;
      }
      case Kind::kRename:
      case Kind::kRenameNew: {
        const NodePtr moved = at(operation.path);
        at(operation.path.parent_path())->names.erase(operation.path.filename());
        at(operation.to.parent_path())->names[operation.to.filename()] = moved;
        break;
      }
      case Kind::kRemove:
        at(operation.path.parent_path())->names.erase(operation.path.filename());
        break;
      case Kind::kMakeFolders:
        make_folders(operation.path, operation.mode);
        break;
    }
  }

  Status write(Loss loss, const fs::path& into) const { return write(*root_, loss, into); }

 private:
  [[nodiscard]] NodePtr at(const fs::path& path) const {
    NodePtr node = root_;
    for (const fs::path& name : path) {
      if (name != ".") {
        node = node->names.at(name);
      }
    }
    return node;
  }

  Node& file_at(const fs::path& path, mode_t mode) {
    NodePtr& file = at(path.parent_path())->names[path.filename()];
    if (!file) {
      file = make_node(false, mode);
    }
    return *file;
  }

  void make_folders(const fs::path& path, mode_t mode) {
    NodePtr node = root_;
    for (const fs::path& name : path) {
      NodePtr& next = node->names[name];
      if (!next) {
        next = make_node(true, mode);
        node->durable_names[name] = next;
      }
      node = next;
    }
  }

  static Status write(const Node& folder, Loss loss, const fs::path& into) {
    PosixFiles files;
    for (const auto& [name, node] : loss == Loss::kAllUnsynced ? folder.durable_names : folder.names) {
      if (node->folder) {
        HOLDFAST_CHECK(files.make_folders(into / name, node->mode));
        HOLDFAST_CHECK(write(*node, loss, into / name));
      } else {
        HOLDFAST_CHECK(files.create(into / name, content_after(*node, loss), node->mode));
      }
    }
    return {};
  }

  NodePtr root_ = make_node(true, 0755);
};

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kRead:
      return "read";
    case Kind::kList:
      return "list";
    case Kind::kCreate:
      return "create";
    case Kind::kAppend:
      return "append";
    case Kind::kOverwrite:
      return "overwrite";
    case Kind::kTruncate:
      return "truncate";
    case Kind::kSyncFile:
      return "sync_file";
    case Kind::kSyncFolder:
      return "sync_folder";
    case Kind::kRename:
      return "rename";
    case Kind::kRenameNew:
      return "rename_new";
    case Kind::kRemove:
      return "remove";
    case Kind::kMakeFolders:
      return "make_folders";
    case Kind::kLock:
      return "lock";
  }
  return "?";
}

// All that a sync does here: what is durable is a matter of the record, and thousands of trials have no time
// for a disk. As with the real one, what is not of the right type fails, links too.
Status check_type(const fs::path& path, fs::file_type type) {
  return fs::symlink_status(path).type() == type ? Status{}
                                                 : Status(fail_errno(ENOENT, "sync " + path.native()));
}

/// What is behind the new bytes is not cut off yet.
void overwrite_half(const fs::path& path, std::string_view half, mode_t mode) {
  PosixFiles files;
  const auto before = files.read(path, kAnySize);
  std::string bytes(half);
  if (before && *before && (*before)->size() > half.size()) bytes += (*before)->substr(half.size());
  static_cast<void>(files.overwrite(path, bytes, mode));
}

bool takes_space(Kind kind) {
  return kind == Kind::kCreate || kind == Kind::kAppend || kind == Kind::kOverwrite ||
         kind == Kind::kMakeFolders || kind == Kind::kLock;
}

std::string describe(const Operation& operation) {
  std::string text(to_string(operation.kind));
  text += ' ';
  text += operation.path.native();
  return text;
}

}  // namespace

std::string_view to_string(Loss loss) {
  switch (loss) {
    case Loss::kAllUnsynced:
      return "all that was not synced is lost";
    case Loss::kNamesSurvive:
      return "names survive, content that was not synced is lost";
    case Loss::kTorn:
      return "content that was not synced is torn";
    case Loss::kZeroed:
      return "content that was not synced is NUL";
  }
  return "?";
}

RecordingFiles::RecordingFiles(const fs::path& folder) : folder_(folder.lexically_normal()) { adopt(); }

void RecordingFiles::fail_call(std::size_t call, int sys_errno) { failure_ = {call, sys_errno}; }

void RecordingFiles::fill_disk_at(std::size_t call) { full_from_ = call; }

void RecordingFiles::kill_at(std::size_t step, KillPoint point) { kill_ = {step, point}; }

void RecordingFiles::adopt() {
  initial_.clear();
  operations_.clear();
  steps_ = 0;
  // The iterator visits a folder before what is in it.
  for (const auto& found : fs::recursive_directory_iterator(folder_)) {
    Entry entry;
    entry.path = found.path().lexically_relative(folder_);
    entry.mode = static_cast<mode_t>(found.status().permissions());
    if (found.is_regular_file()) {
      entry.content = real_.read(found.path(), kAnySize).value().value();
    }
    initial_.push_back(std::move(entry));
  }
}

std::string RecordingFiles::transcript() const {
  std::ostringstream out;
  std::size_t call = 0;
  for (const Operation& operation : operations_) {
    out << ++call << ' ' << describe(operation);
    if (!operation.to.empty()) {
      out << " -> " << operation.to.native();
    }
    if (operation.kind == Kind::kCreate || operation.kind == Kind::kAppend ||
        operation.kind == Kind::kOverwrite) {
      out << " (" << operation.bytes.size() << " bytes)";
    }
    out << (operation.done ? "\n" : " failed\n");
  }
  return out.str();
}

Status RecordingFiles::rebuild(std::size_t step, Loss loss, const fs::path& into) const {
  Disk disk(initial_);
  for (const Operation& operation : operations_) {
    if (operation.done && operation.step != 0 && operation.step <= step) {
      disk.apply(operation);
    }
  }
  HOLDFAST_CHECK(PosixFiles().make_folders(into, 0755));
  return disk.write(loss, into);
}

Result<fs::path> RecordingFiles::inside(const fs::path& path) const {
  fs::path relative = path.lexically_normal().lexically_relative(folder_);
  if (relative.empty() || *relative.begin() == "..") {
    return fail(Code::kInvalidArgument,
                path.native() + " is outside the recorded folder " + folder_.native());
  }
  return relative;
}

Status RecordingFiles::planned_fault(const Operation& operation) const {
  const std::size_t call = operations_.size() + 1;
  if (dead_) {
    return fail_errno(EIO, describe(operation) + " by a killed process");
  }
  if (failure_ && failure_->first == call) {
    return fail_errno(failure_->second, describe(operation));
  }
  if (full_from_ && call >= *full_from_ && operation.step != 0 && takes_space(operation.kind)) {
    return fail_errno(ENOSPC, describe(operation));
  }
  return {};
}

void RecordingFiles::do_half(const Operation& operation) {
  const std::string_view half = std::string_view(operation.bytes).substr(0, operation.bytes.size() / 2);
  if (operation.kind == Kind::kCreate) {
    static_cast<void>(real_.create(folder_ / operation.path, half, operation.mode));
  } else if (operation.kind == Kind::kAppend) {
    static_cast<void>(real_.append(folder_ / operation.path, half, operation.mode));
  } else if (operation.kind == Kind::kOverwrite) {
    overwrite_half(folder_ / operation.path, half, operation.mode);
  }
}

template <class Answer, class Act>
Answer RecordingFiles::perform(Operation operation, Act act) {
  HOLDFAST_TRY(operation.path, inside(operation.path));
  if (!operation.to.empty()) {
    HOLDFAST_TRY(operation.to, inside(operation.to));
  }
  const bool makes_lock = operation.kind == Kind::kLock && !fs::exists(folder_ / operation.path);
  const bool only_looks = operation.kind == Kind::kRead || operation.kind == Kind::kList ||
                          (operation.kind == Kind::kLock && !makes_lock);
  operation.step = only_looks || dead_ ? 0 : ++steps_;
  if (Status fault = planned_fault(operation); !fault) {
    operations_.push_back(std::move(operation));
    return tl::unexpected(std::move(fault).error());
  }
  const bool killed = kill_ && operation.step != 0 && kill_->first == operation.step;
  if (killed && kill_->second != KillPoint::kAfter) {
    dead_ = true;
    if (kill_->second == KillPoint::kHalfWay) {
      do_half(operation);
    }
    throw Killed{};
  }
  Answer answer = act();
  operation.done = answer.has_value();
  operations_.push_back(std::move(operation));
  if (killed) {
    dead_ = true;
    throw Killed{};
  }
  return answer;
}

Result<std::optional<std::string>> RecordingFiles::read(const fs::path& path, std::size_t max_bytes) {
  return perform<Result<std::optional<std::string>>>({.kind = Kind::kRead, .path = path},
                                                     [&] { return real_.read(path, max_bytes); });
}

Result<std::vector<std::string>> RecordingFiles::list(const fs::path& folder) {
  return perform<Result<std::vector<std::string>>>({.kind = Kind::kList, .path = folder},
                                                   [&] { return real_.list(folder); });
}

Status RecordingFiles::create(const fs::path& path, std::string_view bytes, mode_t mode) {
  return perform<Status>({.kind = Kind::kCreate, .path = path, .bytes = std::string(bytes), .mode = mode},
                         [&] { return real_.create(path, bytes, mode); });
}

Status RecordingFiles::append(const fs::path& path, std::string_view bytes, mode_t mode) {
  return perform<Status>({.kind = Kind::kAppend, .path = path, .bytes = std::string(bytes), .mode = mode},
                         [&] { return real_.append(path, bytes, mode); });
}

Status RecordingFiles::overwrite(const fs::path& path, std::string_view bytes, mode_t mode) {
  return perform<Status>({.kind = Kind::kOverwrite, .path = path, .bytes = std::string(bytes), .mode = mode},
                         [&] { return real_.overwrite(path, bytes, mode); });
}

Status RecordingFiles::truncate(const fs::path& path, std::size_t bytes) {
  return perform<Status>({.kind = Kind::kTruncate, .path = path, .size = bytes},
                         [&] { return real_.truncate(path, bytes); });
}

Status RecordingFiles::sync_file(const fs::path& path) {
  return perform<Status>({.kind = Kind::kSyncFile, .path = path},
                         [&] { return check_type(path, fs::file_type::regular); });
}

Status RecordingFiles::sync_folder(const fs::path& folder) {
  return perform<Status>({.kind = Kind::kSyncFolder, .path = folder},
                         [&] { return check_type(folder, fs::file_type::directory); });
}

Status RecordingFiles::rename(const fs::path& from, const fs::path& to) {
  return perform<Status>({.kind = Kind::kRename, .path = from, .to = to},
                         [&] { return real_.rename(from, to); });
}

Status RecordingFiles::rename_new(const fs::path& from, const fs::path& to) {
  return perform<Status>({.kind = Kind::kRenameNew, .path = from, .to = to},
                         [&] { return real_.rename_new(from, to); });
}

Status RecordingFiles::remove(const fs::path& path) {
  return perform<Status>({.kind = Kind::kRemove, .path = path}, [&] { return real_.remove(path); });
}

Status RecordingFiles::make_folders(const fs::path& folder, mode_t mode) {
  return perform<Status>({.kind = Kind::kMakeFolders, .path = folder, .mode = mode},
                         [&] { return real_.make_folders(folder, mode); });
}

Result<Fd> RecordingFiles::lock(const fs::path& path, std::chrono::milliseconds patience) {
  return perform<Result<Fd>>({.kind = Kind::kLock, .path = path, .mode = 0600},
                             [&] { return real_.lock(path, patience); });
}

}  // namespace holdfast::test
