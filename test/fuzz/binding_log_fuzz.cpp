#include "cni-flannel/ipam/binding_log_format.h"
#include "test/fuzz/fuzz_text.h"

// What is read of any text, written again, reads the same and is whole.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  namespace flannel = holdfast::flannel;
  const std::string_view text = holdfast::fuzz::text_of(data, size);
  const flannel::ParsedLog log = flannel::parse_binding_log(text);
  require(log.valid_bytes <= size && log.bindings.size() <= log.lines);
  std::string again = flannel::format_log_header();
  for (const flannel::Binding& binding : log.bindings) again += flannel::format_record(binding);
  const flannel::ParsedLog reread = flannel::parse_binding_log(again);
  require(reread.ours && reread.damaged_lines == 0 && reread.valid_bytes == again.size());
  require(reread.bindings == log.bindings);
  // The fuzzer finds no checksum, so each line of the text is a record's fields once more.
  flannel::Binding binding;
  binding.key = {std::string(text.substr(0, size / 2)), std::string(text.substr(size / 2)), "eth0"};
  binding.uid = text;
  if (!text.empty()) binding.stale_links = {std::string(text)};
  const auto one = flannel::parse_binding_log(flannel::format_log_header() + flannel::format_record(binding));
  require(one.bindings.size() == 1 && one.bindings.front() == binding);
  return 0;
}
