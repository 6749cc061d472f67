#include "test/bench/cni/fsync_floor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

namespace holdfast::bench {
namespace {

using Clock = std::chrono::steady_clock;

const std::string kRecord(300, 'r');

Status write_record(int fd) {
  if (::write(fd, kRecord.data(), kRecord.size()) != static_cast<ssize_t>(kRecord.size())) {
    return fail_errno(errno, "write");
  }
  return {};
}

}  // namespace

Result<FsyncFloor> FsyncFloor::open(const std::filesystem::path& folder) {
  Fd log(::open((folder / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  if (!log.valid()) return fail_errno(errno, "open " + (folder / "log").string());
  return FsyncFloor(folder, std::move(log));
}

Status FsyncFloor::measure() {
  auto start = Clock::now();
  HOLDFAST_CHECK(write_record(log_.get()));
  if (::fdatasync(log_.get()) != 0) return fail_errno(errno, "fdatasync");
  appends.add(Clock::now() - start);

  const std::string temporary = folder_ / "new";
  start = Clock::now();
  const Fd file(::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno(errno, "open " + temporary);
  HOLDFAST_CHECK(write_record(file.get()));
  if (::fsync(file.get()) != 0) return fail_errno(errno, "fsync");
  if (::rename(temporary.c_str(), (folder_ / "current").c_str()) != 0) return fail_errno(errno, "rename");
  replaces.add(Clock::now() - start);
  return {};
}

}  // namespace holdfast::bench
