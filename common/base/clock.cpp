#include "common/base/clock.h"

#include <time.h>

#include <thread>

namespace holdfast {

std::chrono::nanoseconds SystemClock::since_boot() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::chrono::sys_seconds SystemClock::now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

void SystemClock::sleep(std::chrono::nanoseconds duration) { std::this_thread::sleep_for(duration); }

}  // namespace holdfast
