#include "common/base/log.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <thread>
#include <vector>

#include "common/base/fd.h"
#include "common/base/files.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

std::string written(const std::filesystem::path& path) {
  return PosixFiles().read(path, std::size_t{1} << 24).value().value();
}

TEST_CASE("values that could break a line or a field are quoted and escaped", "[log]") {
  struct Case {
    const char* name;
    std::string value;
    const char* text;
  };
  const Case cases[] = {
      {"plain", "10.244.3.0/24", "10.244.3.0/24"},
      {"empty", "", "\"\""},
      {"blank", "a b", "\"a b\""},
      {"looks like a field", "a level=error", R"("a level=error")"},
      {"equals", "a=b", "\"a=b\""},
      {"quote and backslash", R"(a"\)", R"("a\"\\")"},
      {"line ends", "a\nb\rc\td", R"("a\nb\rc\td")"},
      {"control and high bytes", std::string("\0\x1b\x7f\xc3\xa9", 5), R"("\x00\x1b\x7f\xc3\xa9")"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const LogField field("key", c.value);
      CHECK(format_log_line(LogLevel::kInfo, c.value, std::array{field}) ==
            "level=info msg=" + std::string(c.text) + " key=" + c.text);
    }
  }
}

TEST_CASE("fields are of any simple type", "[log]") {
  const std::array fields{LogField("text", "x"), LogField("yes", true), LogField("n", -7),
                          LogField("u", std::size_t{7})};
  CHECK(format_log_line(LogLevel::kWarning, "m", fields) == "level=warning msg=m text=x yes=true n=-7 u=7");
}

TEST_CASE("lines below the level are not written, the others with their time", "[log]") {
  const test::TemporaryFolder folder;
  const Fd fd(::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  test::FakeClock clock;
  FdLogger logger(LogLevel::kInfo, clock, fd.get());
  logger.debug("hidden");
  logger.info("shown", {{"n", 1}});
  clock.advance(std::chrono::seconds(61));
  logger.error("too");
  CHECK_FALSE(logger.wants(LogLevel::kDebug));
  CHECK(logger.wants(LogLevel::kInfo));
  CHECK(
      written(folder / "log") ==
      "time=2024-05-01T00:00:00Z level=info msg=shown n=1\ntime=2024-05-01T00:01:01Z level=error msg=too\n");
}

TEST_CASE("a log that cannot be written is lost without harm", "[log]") {
  test::FakeClock clock;
  FdLogger logger(LogLevel::kInfo, clock, -1);
  CHECK_NOTHROW(logger.info("nowhere"));
}

TEST_CASE("lines of many threads stay whole", "[log]") {
  constexpr int kThreads = 4;
  constexpr int kLines = 200;
  const test::TemporaryFolder folder;
  const Fd fd(::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  SystemClock clock;
  FdLogger logger(LogLevel::kInfo, clock, fd.get());
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&logger, t] {
      for (int i = 0; i < kLines; ++i) {
        logger.info(std::string(500, static_cast<char>('a' + t)), {{"line", i}});
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::istringstream lines(written(folder / "log"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::size_t begin = line.find("msg=") + 4;
    const std::string message = line.substr(begin, line.find(' ', begin) - begin);
    REQUIRE(message == std::string(500, message.front()));
  }
  CHECK(count == kThreads * kLines);
}

}  // namespace
}  // namespace holdfast
