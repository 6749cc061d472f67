#include "cni-flannel/daemon/annotation_keys.h"

#include <algorithm>

namespace holdfast::flannel {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

/// Two names or more, joined by dots.
bool is_domain(std::string_view text) {
  std::size_t names = 0;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_name(text.substr(0, dot))) return false;
    ++names;
    if (dot == std::string_view::npos) return names >= 2;
    text.remove_prefix(dot + 1);
  }
}

std::string completed(std::string_view prefix) {
  std::string out(prefix);
  if (out.find('/') == std::string::npos) return out + "/";
  if (!out.ends_with('/') && !out.ends_with('-')) out += '-';
  return out;
}

bool is_complete_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || !is_domain(text.substr(0, slash))) return false;
  const std::string_view rest = text.substr(slash + 1);
  return rest.empty() || (rest.size() > 1 && rest.ends_with('-') && is_name(rest));
}

}  // namespace

Result<AnnotationKeys> AnnotationKeys::with_prefix(std::string_view prefix) {
  const std::string start = completed(prefix);
  if (!is_complete_prefix(start)) {
    return fail(Code::kInvalidArgument,
                "'" + std::string(prefix) + "' cannot begin the keys of annotations: it must be like '" +
                    std::string(kDefaultAnnotationPrefix) + "' or 'example.org/name'");
  }
  return AnnotationKeys{start + "kube-subnet-manager", start + "backend-type",
                        start + "backend-data",        start + "backend-v6-data",
                        start + "public-ip",           start + "public-ipv6",
                        start + "public-ip-overwrite", start + "public-ipv6-overwrite",
                        start + "node-public-ip",      start + "node-public-ipv6"};
}

}  // namespace holdfast::flannel
