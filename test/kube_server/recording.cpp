#include "test/kube_server/recording.h"

#include <fstream>

namespace holdfast::test {

using nlohmann::json;

Recording load_recording(const std::string& name) {
  std::ifstream file(HOLDFAST_FIXTURES "/apiserver/" + name + ".json");
  file.exceptions(std::ios::failbit);
  const json document = json::parse(file);
  const json& request = document.at("request");
  const json headers = request.value("headers", json::object());
  Recording out;
  out.request = {.method = request.at("method"),
                 .path = request.at("path"),
                 .accept = headers.value("Accept", "application/json"),
                 .content_type = headers.value("Content-Type", ""),
                 .body = request.value("body", json()).is_null() ? "" : request["body"].dump()};
  const json& response = document.at("response");
  out.status = response.at("status");
  out.body = response.value("body", json());
  for (const json& line : response.value("stream", json::array())) {
    out.lines.push_back(line.at("line"));
  }
  return out;
}

}  // namespace holdfast::test
