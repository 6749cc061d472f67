#include "cni-flannel/plugin/cni_error.h"

#include <nlohmann/json.hpp>

#include "cni-flannel/plugin/json_part.h"
#include "common/base/json.h"

namespace holdfast::cni {

CniCode own_code(Code code) { return static_cast<CniCode>(100U + static_cast<std::uint32_t>(code)); }

tl::unexpected<CniError> cni_fail(CniCode code, std::string msg, std::string details) {
  return tl::unexpected(CniError{code, std::move(msg), std::move(details)});
}

CniError to_cni(Error error, std::optional<CniCode> context) {
  return {context.value_or(own_code(error.code)), std::move(error.message), {}};
}

std::string to_json(const CniError& error, std::string_view cni_version) {
  nlohmann::json object = {
      {"cniVersion", cni_version}, {"code", static_cast<std::uint32_t>(error.code)}, {"msg", error.msg}};
  if (!error.details.empty()) object["details"] = error.details;
  return dump_json(object);
}

std::optional<CniError> parse_error(std::string_view text) {
  const Result<JsonPart> parsed = parse_document(text, "error");
  if (!parsed) return std::nullopt;
  const JsonPart code = member(*parsed, "code");
  const JsonPart msg = member(*parsed, "msg");
  const JsonPart details = member(*parsed, "details");
  if (code == nullptr || !code->is_number_unsigned() || msg == nullptr || !msg->is_string())
    return std::nullopt;
  const auto number = code->get<std::uint64_t>();
  const bool is_code = number != 0 && std::in_range<std::uint32_t>(number);
  return CniError{is_code ? static_cast<CniCode>(number) : CniCode::kInternal, msg->get<std::string>(),
                  details != nullptr && details->is_string() ? details->get<std::string>() : std::string{}};
}

}  // namespace holdfast::cni
