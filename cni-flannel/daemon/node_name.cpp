#include "cni-flannel/daemon/node_name.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>

#include "common/base/text.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kLongest = 253;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_label(std::string_view label) {
  return !label.empty() && is_letter_or_digit(label.front()) && is_letter_or_digit(label.back()) &&
         std::ranges::all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

}  // namespace

std::string node_name_fault(std::string_view name) {
  if (name.size() > kLongest) return "is no name of a Node: it has more than 253 bytes";
  const bool ends_with_dot = name.ends_with('.');
  bool well = !name.empty() && !ends_with_dot;
  while (well && !name.empty()) well = is_label(take_until(name, '.'));
  if (well) return "";
  return "is no name of a Node: these are lower-case letters, digits, '-' and '.', and begin and end with a "
         "letter or digit";
}

Result<std::string> host_node_name() {
  utsname names{};
  if (::uname(&names) != 0) return fail_errno(errno, "read the host's name");
  std::string out = names.nodename;
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (out.empty()) return fail(Code::kFailedPrecondition, "the host has no name; tell one by --node-name");
  return out;
}

}  // namespace holdfast::flannel
