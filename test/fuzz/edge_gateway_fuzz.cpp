#include <nlohmann/json.hpp>

#include "egw-gateway/model/edge_gateway.h"
#include "egw-gateway/model/routed_ranges.h"
#include "test/fuzz/fuzz_text.h"

// What is decoded is encoded and decoded to the same, and what is routed is never what is exempt.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace gateway = holdfast::gateway;
  using holdfast::fuzz::require;
  const auto documents = gateway::decode_edge_gateway_documents(holdfast::fuzz::text_of(data, size));
  if (!documents) return 0;
  for (const auto& document : *documents) {
    if (!document) continue;
    require(!document->pool.empty() && document->gateways.size() <= gateway::kMostGateways);
    const nlohmann::json again = gateway::encode_edge_gateway(*document);
    const auto twice = gateway::decode_edge_gateway(holdfast::JsonObject(&again, ""));
    require(twice && *twice == *document);
    const auto exempt = gateway::exemptions(*document);
    for (const holdfast::Cidr& range : gateway::routed_ranges(*document, exempt).ranges) {
      for (const gateway::Exemption& one : exempt) require(!range.overlaps(one.range));
    }
  }
  return 0;
}
