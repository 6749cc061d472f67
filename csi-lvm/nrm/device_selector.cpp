#include "csi-lvm/nrm/device_selector.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/text.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/volumes/parameters.h"

namespace holdfast::nrm {
namespace {

constexpr std::size_t kShown = 120;

// "...-part2": takes it off.
unsigned take_partition(std::string_view& text) {
  constexpr std::string_view kMark = "-part";
  const std::size_t at = text.rfind(kMark);
  if (at == std::string_view::npos) return 0;
  const std::string_view digits = text.substr(at + kMark.size());
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return 0;
  text = text.substr(0, at);
  return number;
}

Result<DeviceSelector> named_selector(std::string_view text) {
  DeviceSelector selector;
  selector.text = text;
  const bool by_wwn = text.starts_with("wwn:");
  if (by_wwn || text.starts_with("serial:")) {
    std::string_view rest = trim(text.substr(text.find(':') + 1));
    selector.kind = by_wwn ? DeviceSelector::Kind::kWwn : DeviceSelector::Kind::kSerial;
    selector.partition = take_partition(rest);
    selector.value = by_wwn ? plain_wwn(rest) : std::string(rest);
    if (selector.value.empty()) return refuse("the device " + in_quotes(text) + " names no disk");
    return selector;
  }
  if (!lvm::check_device_path(text)) {
    return refuse("the device " + in_quotes(text) +
                  " is neither a plain path below /dev nor wwn:..., serial:... or {minSize: ...}");
  }
  selector.value = text;
  return selector;
}

Result<std::uint64_t> read_size(const JsonField& field, std::uint64_t absent) {
  if (!field.present()) return absent;
  HOLDFAST_TRY(const std::string text, plain_text(field));
  auto size = lvm::parse_bytes(text);
  if (!size) return field.refuse("is no size such as 100Gi");
  return size;
}

Result<DeviceSelector> fitting_selector(const JsonObject& wanted) {
  DeviceSelector selector;
  selector.kind = DeviceSelector::Kind::kFitting;
  for (const std::string& key : wanted.keys()) {
    if (key != "minSize" && key != "maxSize" && key != "rotational") {
      return refuse("devices: " + in_quotes(key) + " is none of minSize, maxSize, rotational");
    }
  }
  HOLDFAST_TRY(selector.least_bytes, read_size(wanted["minSize"], selector.least_bytes));
  HOLDFAST_TRY(selector.most_bytes, read_size(wanted["maxSize"], selector.most_bytes));
  if (wanted["rotational"].present()) {
    HOLDFAST_TRY(selector.rotational, wanted["rotational"].boolean());
  }
  if (wanted.keys().empty() || selector.least_bytes > selector.most_bytes) {
    return refuse("devices: no disk can be meant by " + wanted.path() +
                  "; give minSize, maxSize, rotational");
  }
  selector.text = "size " + std::to_string(selector.least_bytes) + "..";
  if (wanted["maxSize"].present()) selector.text += std::to_string(selector.most_bytes);
  if (selector.rotational) selector.text += *selector.rotational ? ", rotational" : ", not rotational";
  return selector;
}

}  // namespace

tl::unexpected<Error> refuse(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

std::string in_quotes(std::string_view text) { return "'" + printable(text, kShown) + "'"; }

Result<std::string> plain_text(const JsonField& field) {
  const nlohmann::json& raw = field.raw();
  if (raw.is_boolean() || raw.is_number_integer()) return dump_json(raw);
  if (raw.is_number()) return field.refuse("is a number to YAML: put it in quotes");
  if (raw.is_array())
    return refuse(field.path() + ": is one text, not a list: write an entry for each value");
  return field.string();
}

Result<std::vector<DeviceSelector>> read_devices(const JsonObject& topology) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, topology["devices"].array());
  std::vector<DeviceSelector> devices;
  for (const JsonField& element : elements) {
    if (element.raw().is_object()) {
      HOLDFAST_TRY(const JsonObject wanted, element.object());
      HOLDFAST_TRY(DeviceSelector selector, fitting_selector(wanted));
      devices.push_back(std::move(selector));
      continue;
    }
    HOLDFAST_TRY(const std::string text, element.string());
    HOLDFAST_TRY(DeviceSelector selector, named_selector(trim(text)));
    devices.push_back(std::move(selector));
  }
  if (devices.empty()) return refuse("topology.devices: is empty; it names the disks");
  return devices;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string plain_wwn(std::string_view wwn) {
  std::string text = lower(trim(wwn));
  for (const std::string_view before : {"wwn-", "naa.", "eui.", "0x"}) {
    if (text.starts_with(before)) text.erase(0, before.size());
  }
  return text;
}

}  // namespace holdfast::nrm
