#include "csi-nas/directories/directory_worker.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <utility>

#include "csi-nas/directories/directory_order.h"
#include "csi-nas/directories/job_record.h"

namespace holdfast::nas {
namespace {

constexpr std::chrono::milliseconds kTellEvery{250};
constexpr int kFailedStatus = 1;
constexpr int kMuteStatus = 2;

// A copy holds two descriptors a level of the tree.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

// Whether it is to go on: not when who began it has ended meanwhile.
bool bind_to_parent(std::string_view word) {
  word.remove_prefix(kEndWith.size());
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && std::to_string(::getppid()) == word;
}

Result<std::string> work(std::span<const std::string> words, JobRecord& record) {
  HOLDFAST_TRY(const DirectoryOrder order, parse_words(words));
  auto told = std::chrono::steady_clock::now();
  return carry_out(order, record.progress, [&](const Progress& now) {
    const auto time = std::chrono::steady_clock::now();
    if (time - told < kTellEvery) return;
    told = time;
    record.progress = now;
    // How far it came is a word for people: the work goes on without it.
    static_cast<void>(write_record(kRecordFd, record));
  });
}

}  // namespace

int run_directory_worker(std::span<const std::string> words) {
  if (!words.empty() && words.back().starts_with(kEndWith)) {
    if (!bind_to_parent(words.back())) return kMuteStatus;
    words = words.first(words.size() - 1);
  }
  ::umask(0);
  allow_many_descriptors();
  Result<std::optional<JobRecord>> begun = read_record(kRecordFd);
  JobRecord record = begun && *begun ? **std::move(begun) : JobRecord{};
  const Result<std::string> done = work(words, record);
  record.state = done ? JobRecord::State::kDone : JobRecord::State::kFailed;
  if (done) record.answer = *done;
  if (!done) record.error = done.error();
  if (!write_record(kRecordFd, record)) return kMuteStatus;
  return done ? 0 : kFailedStatus;
}

}  // namespace holdfast::nas
