#include "common/cloud/sim/request.h"
#include "common/cloud/sim/verifier.h"
#include "test/fakes/fake_clock.h"
#include "test/fuzz/fuzz_text.h"

using holdfast::fuzz::require;
namespace sim = holdfast::cloud::sim;

// A whole request stays so whatever comes behind it, and nobody who does not know the secret signs one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = holdfast::fuzz::text_of(data, size);
  const auto parsed = sim::parse_request(text);
  if (!parsed || !parsed->has_value()) return 0;
  const sim::ReceivedRequest& received = **parsed;
  require(received.size <= size);
  const auto more = sim::parse_request(std::string(text) + "GET / HTTP/1.1\r\n\r\n");
  require(more.has_value() && more->has_value() && (*more)->size == received.size);
  holdfast::test::FakeClock clock;
  sim::Verifier verifier({{.id = "i", .secret = "a secret that the fuzzer does not know"}}, clock);
  const auto vendor = sim::Verifier::vendor_of(received.request);
  require(!vendor || verifier.check(received.request, *vendor).has_value());
  return 0;
}
