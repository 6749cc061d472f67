#include "cni-flannel/plugin/environment.h"
#include "test/fuzz/fuzz_text.h"

// What is accepted holds no byte that could break a file or a log line, and every refusal has the code for
// it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  const auto args = holdfast::cni::parse_cni_args(holdfast::fuzz::text_of(data, size));
  if (!args) {
    require(args.error().code == holdfast::cni::CniCode::kInvalidEnvironment && !args.error().msg.empty());
    return 0;
  }
  for (const std::string& value :
       {args->pod_namespace, args->pod_name, args->pod_uid, args->pod_infra_container_id}) {
    require(value.size() <= 253 && value.find_first_of("\n\r\t =;") == std::string::npos);
  }
  return 0;
}
