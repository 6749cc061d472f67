#include <string>
#include <vector>

#include "common/base/text.h"
#include "csi-nas/volumes/handle.h"
#include "csi-nas/volumes/nas_source.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace nas = holdfast::nas;
using holdfast::fuzz::require;

void check_path(const std::string& path) {
  require(path.starts_with('/') && (path + "/").find("/../") == std::string::npos);
  require(path.find_first_of(std::string("\n\0", 2)) == std::string::npos);
}

// What the kernel reads is one line, with one address, and what comes to the same is written the same.
void check_options(const nas::NasOptions& options) {
  const std::string data = nas::kernel_options(options, "10.0.0.5").data;
  require(data.find_first_of(std::string("\n \0", 3)) == std::string::npos);
  require(data.find("addr=") == data.rfind("addr="));
  const std::vector<std::string> again{options.text()};
  const auto read = nas::parse_nas_options(again);
  require(read && read->words == options.words);
}

}  // namespace

// Lines "key=value" are attributes, lines that begin with '-' mountOptions, the first line is the volume's
// id.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = holdfast::fuzz::text_of(data, size);
  const std::string id(holdfast::take_until(rest, '\n'));
  nas::NasAttributes attributes;
  std::vector<std::string> options;
  while (!rest.empty()) {
    std::string_view line = holdfast::take_until(rest, '\n');
    if (line.starts_with('-')) {
      options.emplace_back(line.substr(1));
      continue;
    }
    const std::string key(holdfast::take_until(line, '='));
    attributes[key] = line;
  }
  const auto source = nas::parse_source(attributes, options, id);
  if (!source) return 0;
  require(!source->shares.empty() && source->key_hash().size() == 32);
  for (const nas::NasShare& share : source->shares) check_path(share.path);
  check_path("/" + source->subdirectory);
  check_options(source->options);
  if (const auto handle = nas::parse_handle(id); handle && *handle)
    require(nas::format_handle(**handle) == id);
  return 0;
}
