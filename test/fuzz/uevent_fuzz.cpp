#include "common/block/uevents.h"
#include "test/fuzz/fuzz_text.h"

// Whatever is sent to the socket, what is taken for an event names a device.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  if (const auto event = holdfast::block::parse_uevent(holdfast::fuzz::text_of(data, size))) {
    require(!event->action.empty() && !event->kernel_name.empty());
  }
  return 0;
}
