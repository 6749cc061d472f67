#include "common/http/listen_address.h"

#include "common/http/patient_page_server.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/log_lines.h"

namespace holdfast::http {
namespace {

TEST_CASE("An address to listen on is read as monitoring tools write it", "[http]") {
  const IpAddress all = IpAddress::v6({});
  CHECK(parse_listen_address(":9808").value() == ListenAddress{all, 9808});
  CHECK(parse_listen_address("127.0.0.1:80").value() == ListenAddress{IpAddress::v4({127, 0, 0, 1}), 80});
  CHECK(parse_listen_address("[::1]:65535").value() == ListenAddress{IpAddress::parse("::1").value(), 65535});
  CHECK(parse_listen_address("[::]:0").value() == ListenAddress{all, 0});
  for (const char* text : {"", "9808", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
                           "[127.0.0.1]:80", "[]:80", "localhost:80", ":80 ", "[::1:80"}) {
    INFO(text);
    const Result<ListenAddress> parsed = parse_listen_address(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == Code::kInvalidArgument);
  }
}

TEST_CASE("A port that somebody else has is told once, and taken when it is free", "[http]") {
  test::FakeClock clock;
  const std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::LogLines log;
  const IpAddress here = IpAddress::v4({127, 0, 0, 1});
  const PageServer::Handler handler = [](const RequestHead& /*head*/) { return Page{}; };
  std::unique_ptr<PageServer> other = PageServer::listen(*loop, here, 0, handler).value();
  PatientPageServer server(*loop, {here, other->port()}, handler, log, "--metrics-address");
  const auto wait = [&] {
    clock.advance(std::chrono::seconds(6));
    REQUIRE(loop->turn(std::chrono::milliseconds(0)).has_value());
  };

  server.start();
  wait();
  CHECK_FALSE(server.serving());
  CHECK(log.count("--metrics-address") == 1);
  other.reset();
  wait();
  CHECK(server.serving());
  CHECK(log.all().size() == 1);
}

TEST_CASE("Without a port nothing is served", "[http]") {
  test::FakeClock clock;
  const std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::LogLines log;
  PatientPageServer server(*loop, {}, {}, log, "--metrics-address");
  server.start();
  CHECK_FALSE(server.serving());
  CHECK(log.all().empty());
}

}  // namespace
}  // namespace holdfast::http
