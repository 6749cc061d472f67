#include "csi-nas/mounts/child_calls.h"

#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "csi-nas/nfs/child_messages.h"

namespace holdfast::nas {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kKilledPatience{300};  // an NFS call that waits ends within 250 ms
constexpr const char* kSpareName = "unmounts";             // in ps(1), in a server's place

std::vector<std::string> mount_words(const std::string& source, const mount::MountOptions& options) {
  return {source, std::to_string(options.flags), options.data};
}

Child dismissed(Child child) {
  child.dismiss();
  return child;
}

Status without_answer(const Result<std::string>& answer) {
  return answer ? Status{} : Status(tl::unexpected(answer.error()));
}

}  // namespace

ChildCalls::ChildCalls(std::string nascmd, std::string root)
    : nascmd_(std::move(nascmd)), root_(std::move(root)) {}

ChildCalls::~ChildCalls() {
  give_up([](const std::string& /*server*/) { return true; });
  reap(std::chrono::nanoseconds::zero());
  const auto until = SteadyClock::now() + kKilledPatience;
  for (const Child& each : leaving_) static_cast<void>(each.ended_by(until));
}

void ChildCalls::reap(std::chrono::nanoseconds idle) {
  const std::scoped_lock lock(mutex_);
  const auto now = SteadyClock::now();
  for (auto each = idle_.begin(); each != idle_.end();) {
    const bool due = now - each->second.since >= idle;
    if (due) leaving_.push_back(dismissed(std::move(each->second.child)));
    each = due ? idle_.erase(each) : std::next(each);
  }
  std::erase_if(leaving_, [](const Child& each) { return each.ended_by({}); });
  std::erase_if(stuck_, [](const Stuck& each) { return each.child.ended_by({}); });
}

std::size_t ChildCalls::stuck() const {
  const std::scoped_lock lock(mutex_);
  return stuck_.size();
}

bool ChildCalls::is_stuck(const std::string& server) const {
  return std::ranges::find(stuck_, server, &Stuck::server) != stuck_.end();
}

Status ChildCalls::let_in(const std::string& server, By by) {
  reap();
  settle();
  const std::scoped_lock lock(mutex_);
  if (!is_stuck(server)) return {};
  if (by == By::kSpare)
    return fail(Code::kUnavailable, "an earlier unmount of " + server + " hangs in the kernel");
  return fail(Code::kUnavailable, "an earlier call to the NFS server " + server +
                                      " hangs in the kernel: it ends when the server answers");
}

Result<Child> ChildCalls::child_for(const std::string& server, By by) {
  if (by == By::kKept || by == By::kSpare) {
    const std::scoped_lock lock(mutex_);
    if (auto found = idle_.extract(by == By::kKept ? server : "")) return std::move(found.mapped().child);
  }
  return start(server, by);
}

Result<Child> ChildCalls::start(const std::string& server, By by) const {
  return Child::start(nascmd_, root_, by == By::kSpare ? kSpareName : server);
}

void ChildCalls::give_back(const std::string& server, Child child) {
  std::unique_lock lock(mutex_);
  if (idle_.contains(server)) {
    lock.unlock();
    return leave(std::move(child));
  }
  idle_.emplace(server, Idle{.child = std::move(child), .since = SteadyClock::now()});
}

void ChildCalls::leave(Child child) {
  child.dismiss();
  const std::scoped_lock lock(mutex_);
  leaving_.push_back(std::move(child));
}

Result<std::string> ChildCalls::give_up(const std::string& server, By by, Child child, Error why) {
  child.kill();
  if (child.ended_by(SteadyClock::now() + kKilledPatience)) return tl::unexpected(std::move(why));
  why.message += ", and the call hangs in the kernel";
  const std::string where = child.waits_in();
  if (!where.empty()) why.message += ", in " + where;
  const std::scoped_lock lock(mutex_);
  stuck_.push_back({.server = by == By::kApart ? "" : server, .child = std::move(child)});
  return tl::unexpected(std::move(why));
}

// What has ended of the calls that went on.
void ChildCalls::settle() {
  const std::scoped_lock lock(mutex_);
  for (Child& each : under_way_.settle(SteadyClock::now())) leaving_.push_back(dismissed(std::move(each)));
}

void ChildCalls::give_up(const std::function<bool(const std::string& server)>& is_dead) {
  const std::scoped_lock lock(mutex_);
  const auto of_dead = [&](const CallsUnderWay::Call& call) { return is_dead(call.server); };
  for (CallsUnderWay::Call& each : under_way_.give_up(SteadyClock::now(), of_dead)) {
    each.child.kill();
    stuck_.push_back({.server = each.server, .child = std::move(each.child)});
  }
}

bool ChildCalls::is_under_way(const std::string& target) {
  reap();
  settle();
  const std::scoped_lock lock(mutex_);
  return under_way_.is_about(target) || is_stuck(target);
}

Result<std::optional<CallsUnderWay::Call>> ChildCalls::take_up(const std::string& server, By by,
                                                               const std::string& message,
                                                               const std::string& target) {
  const std::scoped_lock lock(mutex_);
  // Of another server, which is dead: it would mount below what is mounted there now.
  const auto elsewhere = [&](const CallsUnderWay::Call& call) {
    return !target.empty() && call.target == target && call.server != server;
  };
  for (CallsUnderWay::Call& each : under_way_.give_up(SteadyClock::now(), elsewhere)) {
    each.child.kill();
    stuck_.push_back({.server = each.server, .child = std::move(each.child)});
  }
  if (auto call = under_way_.take(server, message)) return call;
  const auto since = under_way_.busy_since(server);
  if (!since) return std::optional<CallsUnderWay::Call>{};
  const auto seconds =
      std::to_string(std::chrono::floor<std::chrono::seconds>(SteadyClock::now() - *since).count());
  if (by == By::kSpare) return fail(Code::kUnavailable, server + " is being unmounted for " + seconds + " s");
  return fail(Code::kUnavailable, "the NFS server " + server +
                                      " is slow: a share of it is being mounted for " + seconds +
                                      " s, and other calls wait for that");
}

Result<std::string> ChildCalls::go_on(CallsUnderWay::Call call, Error why) {
  why.message += ", and the call goes on";
  const std::scoped_lock lock(mutex_);
  under_way_.add(std::move(call));
  return tl::unexpected(std::move(why));
}

Error ChildCalls::late(const std::string& server, By by, const std::string& verb, const Child& child,
                       Patience patience) {
  const bool of_server = by == By::kKept || by == By::kOnce;
  const std::string where = by == By::kSpare ? child.waits_in() : "";
  return {.code = Code::kDeadlineExceeded,
          .sys_errno = 0,
          .message = verb + ": " +
                     (of_server ? "the NFS server " + server + " has not answered" : "it has not ended") +
                     " within " + std::to_string(patience.count()) + " ms" +
                     (where.empty() ? "" : ": it waits in the kernel, in " + where)};
}

Result<std::string> ChildCalls::run(const std::string& server, By by, const std::vector<std::string>& words,
                                    Patience patience, const std::string& target) {
  const std::string& verb = words.front();
  if (by != By::kApart) HOLDFAST_CHECK(let_in(server, by));
  if (patience <= Patience::zero()) return fail(Code::kDeadlineExceeded, "no time is left to " + verb);
  HOLDFAST_TRY(const std::string message, write_words(words));
  const auto begun = SteadyClock::now();
  const auto until = begun + patience;
  std::optional<CallsUnderWay::Call> before;
  if (by != By::kApart) {
    HOLDFAST_TRY(before, take_up(server, by, message, target));
    const std::scoped_lock lock(mutex_);
    const auto told = under_way_.take_answer(message);
    // What an unmount came to says nothing of what is mounted there now.
    if (told && by != By::kSpare) return read_answer(*told, verb);
  }
  HOLDFAST_TRY(Child child, before ? Result<Child>(std::move(before->child)) : child_for(server, by));
  ChildReply reply = before ? child.answer(until) : child.ask(message, until);
  if (reply.kind == ChildReply::Kind::kNotTaken) {
    // It was ended by somebody while it had nothing to do.
    leave(std::move(child));
    HOLDFAST_TRY(child, start(server, by));
    reply = child.ask(message, until);
  }
  if (reply.kind == ChildReply::Kind::kLate) {
    Error why = late(server, by, verb, child, patience);
    if (target.empty()) return give_up(server, by, std::move(child), std::move(why));
    return go_on({.server = server,
                  .message = message,
                  .target = target,
                  .child = std::move(child),
                  .begun = before ? before->begun : begun},
                 std::move(why));
  }
  const bool stays = by == By::kKept || by == By::kSpare;
  if (stays && reply.kind == ChildReply::Kind::kAnswered) {
    give_back(by == By::kKept ? server : "", std::move(child));
  } else {
    leave(std::move(child));
  }
  return read_answer(reply.text, verb);
}

Result<std::string> ChildCalls::resolve(const std::string& host, Patience patience) {
  return run(host, By::kApart, {"resolve", host}, patience);
}

Status ChildCalls::start_lock_services(Patience patience) {
  return without_answer(run("locks", By::kApart, {"lock-services"}, patience));
}

Status ChildCalls::mount(const std::string& server, const MountShareRequest& request, Patience patience) {
  std::vector<std::string> words = mount_words(request.source, request.options);
  words.insert(words.begin(), "mount");
  words.push_back(request.target);
  return without_answer(run(server, By::kKept, words, patience, request.target));
}

Status ChildCalls::make_folder(const std::string& server, const MakeFolderRequest& request,
                               Patience patience) {
  std::vector<std::string> words = mount_words(request.source, request.options);
  words.insert(words.begin(), "make-folder");
  words.insert(words.end(), {request.at, request.path});
  return without_answer(run(server, By::kOnce, words, patience, request.at));
}

Status ChildCalls::set_mode(const std::string& server, const std::string& path, mode_t mode,
                            Patience patience) {
  return without_answer(run(server, By::kKept, {"set-mode", path, std::to_string(mode)}, patience));
}

Status ChildCalls::bind(const std::string& server, const BindRequest& request, Patience patience) {
  return without_answer(run(server, By::kKept,
                            {"bind", request.source, request.part, request.target,
                             request.read_only ? "ro" : "rw", request.make_parents ? "parents" : "none"},
                            patience));
}

Status ChildCalls::unmount(const std::string& server, const UnmountRequest& request, Patience patience) {
  const char* const rest = request.remove ? "remove" : "keep";
  if (request.how == Unmount::kOrderly) {
    return without_answer(run(server, By::kKept, {"unmount", request.target, "orderly", rest}, patience));
  }
  return without_answer(
      run(request.target, By::kSpare, {"unmount", request.target, "lazily", rest}, patience, request.target));
}

Result<block::VolumeUsage> ChildCalls::look(const std::string& server, const std::string& path,
                                            Patience patience) {
  HOLDFAST_TRY(const std::string answer, run(server, By::kKept, {"look", path}, patience));
  return read_usage(answer);
}

}  // namespace holdfast::nas
