#include "csi-nas/directories/directory_jobs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "common/base/sha.h"
#include "common/base/spawn.h"
#include "common/base/state_file.h"
#include "common/base/text.h"
#include "csi-nas/directories/directory_worker.h"

namespace holdfast::nas {
namespace {

constexpr std::string_view kRecordEnding = ".job";
constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kShown = 200;
constexpr std::size_t kMostOutcomes = 1000;  // nobody asks for; one that is dropped is found again by doing
constexpr StateKind kHolderKind{.name = "directory-holder", .version = 1};
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kRecordMode = 0600;

bool is_quick(DirectoryVerb verb) { return verb != DirectoryVerb::kCopy && verb != DirectoryVerb::kRemove; }

// What makes an order the same as one that is under way: where the share is mounted now, what is known of it,
// and when it was asked first, does not matter.
std::vector<std::string> identity_of(DirectoryOrder order) {
  order.mounted_at.clear();
  order.holds_volumes = false;
  order.stamp.clear();
  return to_words(order);
}

std::string told(const DirectoryOrder& order) {
  return std::string(to_string(order.verb)) + " " + printable(order.directory, kShown);
}

Result<std::string> holder_of(Files& files, const std::filesystem::path& folder) {
  HOLDFAST_TRY(const StateFile known, read_state(files, folder / "holder", kHolderKind));
  if (known.content) return *known.content;
  std::array<std::uint8_t, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) < 0) return fail_errno(errno, "draw a random name");
  const std::string drawn = sha512_hex({reinterpret_cast<const char*>(random.data()), random.size()});
  std::string holder = drawn.substr(0, random.size() * 2);
  HOLDFAST_CHECK(write_state(files, folder / "holder", kHolderKind, holder));
  return holder;
}

// A record's file with its lock; nullopt while a child has it.
Result<std::optional<Fd>> take_record(const std::filesystem::path& path, int flags) {
  Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, kRecordMode));
  if (!file.valid()) return fail_errno(errno, "open " + path.native());
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return std::optional(std::move(file));
  if (errno == EWOULDBLOCK) return std::optional<Fd>{};
  return fail_errno(errno, "lock " + path.native());
}

JobRecord record_at(const std::filesystem::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  Result<std::optional<JobRecord>> record = read_record(file.get());
  return record && *record ? **std::move(record) : JobRecord{};
}

std::string so_far(const JobRecord& record) {
  return std::to_string(record.progress.entries) + " entries and " + std::to_string(record.progress.bytes) +
         " bytes so far";
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

void wait_for(const Fd& end, std::chrono::nanoseconds patience) {
  pollfd watched{end.get(), POLLIN, 0};
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(patience);
  ::poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(wait.count(), 60'000)));
}

}  // namespace

DirectoryJobs::DirectoryJobs(DirectoryJobsOptions options, Clock& clock, std::string holder)
    : options_(std::move(options)), clock_(clock), holder_(std::move(holder)) {}

Result<std::unique_ptr<DirectoryJobs>> DirectoryJobs::open(DirectoryJobsOptions options, Files& files,
                                                           Clock& clock) {
  HOLDFAST_CHECK(files.make_folders(options.folder, kFolderMode));
  HOLDFAST_TRY(std::string holder, holder_of(files, options.folder));
  std::unique_ptr<DirectoryJobs> jobs(new DirectoryJobs(std::move(options), clock, std::move(holder)));
  HOLDFAST_CHECK(jobs->adopt(files));
  return jobs;
}

// What ended while nobody looked is forgotten: done again, it finds everything done.
Status DirectoryJobs::adopt(Files& files) {
  HOLDFAST_TRY(const std::vector<std::string> names, files.list(options_.folder));
  for (const std::string& name : names) {
    if (!name.ends_with(kRecordEnding)) continue;
    const std::filesystem::path path = options_.folder / name;
    HOLDFAST_TRY(const std::optional<Fd> free, take_record(path, 0));
    if (!free) {
      strangers_.emplace(path, record_at(path));
    } else {
      HOLDFAST_CHECK(files.remove(path));
    }
  }
  return {};
}

std::filesystem::path DirectoryJobs::record_path(const std::string& id) const {
  return options_.folder / (sha512_hex(id).substr(0, kHashDigits) + std::string(kRecordEnding));
}

Result<std::string> DirectoryJobs::run(const std::string& id, const std::string& server, DirectoryOrder order,
                                       std::chrono::milliseconds patience) {
  order.holder = holder_;
  order.mounted = options_.mounted;
  const Wanted wanted{.id = id,
                      .order = order,
                      .lane = server + (is_quick(order.verb) ? " quick" : " long"),
                      .words = identity_of(order)};
  const std::chrono::nanoseconds until = clock_.since_boot() + patience;
  for (;;) {
    Look found;
    {
      const std::lock_guard lock(mutex_);
      found = look(wanted);
    }
    if (found.outcome) return *std::move(found.outcome);
    const std::chrono::nanoseconds left = until - clock_.since_boot();
    if (left <= left.zero() || !found.wait_for.valid()) return fail(Code::kAborted, std::move(found.why));
    wait_for(found.wait_for, left);
  }
}

DirectoryJobs::Look DirectoryJobs::look(const Wanted& wanted) {
  reap();
  if (const auto ended = ended_.find(wanted.id); ended != ended_.end()) {
    Outcome outcome = std::move(ended->second);
    ended_.erase(ended);
    if (outcome.words == wanted.words) return Look{.outcome = std::move(outcome.answer)};
  }
  if (const auto child = children_.find(wanted.id); child != children_.end()) {
    return tell_running(wanted, child->second);
  }
  if (std::optional<Look> busy = tell_busy(wanted)) return *std::move(busy);
  if (Status started = start(wanted); !started) {
    Error error = std::move(started).error().within(told(wanted.order));
    error.code = Code::kUnavailable;
    return Look{.outcome = tl::unexpected(std::move(error))};
  }
  return tell_running(wanted, children_.at(wanted.id));
}

// Takes leave of the children that have ended, and kills those that are quick and have not.
void DirectoryJobs::reap() {
  if (ended_.size() > kMostOutcomes) ended_.clear();
  for (auto each = children_.begin(); each != children_.end();) {
    Child& child = each->second;
    int status = 0;
    if (::waitpid(child.process, &status, WNOHANG) == 0) {
      if (clock_.since_boot() > child.kill_at) ::kill(child.process, SIGKILL);
      ++each;
      continue;
    }
    ended_.insert_or_assign(each->first, Outcome{.words = std::move(child.words),
                                                 .answer = answer_of(each->first, child, status)});
    ::unlink(record_path(each->first).c_str());
    each = children_.erase(each);
  }
}

Result<std::string> DirectoryJobs::answer_of(const std::string& id, const Child& child, int status) const {
  JobRecord record = record_at(record_path(id));
  if (record.state == JobRecord::State::kDone) return std::move(record.answer);
  if (record.state == JobRecord::State::kFailed) {
    return tl::unexpected(std::move(record.error).within(child.work));
  }
  return fail(Code::kUnavailable, child.work + ": its process " + how_it_ended(status) + "; ask again");
}

DirectoryJobs::Look DirectoryJobs::tell_running(const Wanted& wanted, const Child& child) const {
  Look look{.why = child.work + " is under way: " + so_far(record_at(record_path(wanted.id))),
            .wait_for = Fd(::fcntl(child.end.get(), F_DUPFD_CLOEXEC, 0))};
  return look;
}

// Why it cannot begin now.
std::optional<DirectoryJobs::Look> DirectoryJobs::tell_busy(const Wanted& wanted) {
  for (const auto& [id, child] : children_) {
    if (child.lane != wanted.lane) continue;
    return Look{.why = told(wanted.order) + " waits for its turn: " + child.work + " is under way",
                .wait_for = Fd(::fcntl(child.end.get(), F_DUPFD_CLOEXEC, 0))};
  }
  const std::filesystem::path own = record_path(wanted.id);
  for (auto each = strangers_.begin(); each != strangers_.end();) {
    const auto& [path, record] = *each;
    const Result<std::optional<Fd>> free = take_record(path, 0);
    if (!free || *free) {
      ::unlink(path.c_str());
      each = strangers_.erase(each);
      continue;
    }
    if (path == own || record.lane == wanted.lane || record.lane.empty()) {
      return Look{.why = record.work + " is under way since before a restart: " + so_far(record_at(path))};
    }
    ++each;
  }
  return std::nullopt;
}

Status DirectoryJobs::start(const Wanted& wanted) {
  HOLDFAST_TRY(std::optional<Fd> record, take_record(record_path(wanted.id), O_CREAT));
  if (!record) return fail(Code::kUnavailable, "another process works on it");
  Child child{.lane = wanted.lane, .work = told(wanted.order), .words = wanted.words};
  HOLDFAST_CHECK(write_record(record->get(), JobRecord{.lane = child.lane, .work = child.work}));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "make a pipe");
  child.end = Fd(ends[0]);
  const Fd childs_end(ends[1]);
  Spawn spawn;
  spawn.give_nothing(STDIN_FILENO);
  spawn.give(childs_end.get(), STDOUT_FILENO);
  spawn.give(STDERR_FILENO, STDERR_FILENO);
  spawn.give(record->get(), kRecordFd);
  std::vector<std::string> argv = to_words(wanted.order);
  argv.insert(argv.begin(), options_.program);
  if (options_.end_with_us) argv.push_back(std::string(kEndWith) + std::to_string(::getpid()));
  HOLDFAST_TRY(child.process, spawn.start(std::move(argv), {"LC_ALL=C"}));
  if (is_quick(wanted.order.verb)) child.kill_at = clock_.since_boot() + options_.quick_deadline;
  children_.emplace(wanted.id, std::move(child));
  return {};
}

void DirectoryJobs::give_up(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = children_.find(id);
  if (found != children_.end()) ::kill(found->second.process, SIGKILL);
}

std::size_t DirectoryJobs::running() {
  const std::lock_guard lock(mutex_);
  reap();
  std::erase_if(strangers_, [](const auto& each) {
    const Result<std::optional<Fd>> free = take_record(each.first, 0);
    return !free || *free;
  });
  return children_.size() + strangers_.size();
}

}  // namespace holdfast::nas
