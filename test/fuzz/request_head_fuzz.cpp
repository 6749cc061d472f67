#include "common/http/request_head.h"
#include "test/fuzz/fuzz_text.h"

using holdfast::fuzz::require;

// A head that is refused or whole stays so, whatever comes behind it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = holdfast::fuzz::text_of(data, size);
  const auto head = holdfast::http::parse_request_head(text);
  const auto more = holdfast::http::parse_request_head(std::string(text) + "\n\n");
  if (!head) {
    require(!head.error().message.empty() && !more.has_value());
    return 0;
  }
  if (!head->has_value()) return 0;
  require(more == head && (*head)->path.starts_with('/') && !(*head)->method.empty());
  static_cast<void>(holdfast::http::has_parameter((*head)->query, "verbose"));
  return 0;
}
