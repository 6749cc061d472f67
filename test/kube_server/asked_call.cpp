#include "test/kube_server/asked_call.h"

namespace holdfast::test {
namespace {

constexpr std::string_view kIn = " in ";
constexpr std::string_view kByName = "metadata.name=";

std::string query_of(const ServerRequest& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

std::string header_of(const ServerRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

std::string read_verb(const ServerRequest& request, const ResourcePath& path) {
  const std::string watch = query_of(request, "watch");
  if (watch == "true" || watch == "1") return "watch";
  return path.name.empty() ? "list" : "get";
}

std::string verb_of(const ServerRequest& request, const ResourcePath& path) {
  if (request.method == "POST") return "create";
  if (request.method == "PUT") return "update";
  if (request.method == "PATCH") return "patch";
  if (request.method == "DELETE") return path.name.empty() ? "deletecollection" : "delete";
  return read_verb(request, path);
}

std::string name_of(const ServerRequest& request, const ResourcePath& path) {
  if (!path.name.empty()) return path.name;
  const std::string selector = query_of(request, "fieldSelector");
  const bool by_name = selector.starts_with(kByName) && selector.find(',') == std::string::npos;
  return by_name ? selector.substr(kByName.size()) : "";
}

}  // namespace

std::string text_of(const AskedCall& call) {
  if (call.resource.empty()) return call.verb + " " + call.path;
  const std::size_t end = std::min(call.resource.find('/'), call.resource.size());
  return call.verb + " " + call.resource.substr(0, end) + (call.group.empty() ? "" : "." + call.group) +
         (call.name.empty() ? "" : "/" + call.name) + call.resource.substr(end) +
         (call.name_space.empty() ? "" : std::string(kIn) + call.name_space);
}

AskedCall asked_call(std::string_view text) {
  AskedCall out;
  const std::size_t verb_end = text.find(' ');
  out.verb = text.substr(0, verb_end);
  text.remove_prefix(verb_end + 1);
  if (text.starts_with('/')) {
    out.path = text;
    return out;
  }
  if (const std::size_t at = text.find(kIn); at != std::string_view::npos) {
    out.name_space = text.substr(at + kIn.size());
    text = text.substr(0, at);
  }
  const std::size_t kind_end = std::min(text.find('/'), text.size());
  const std::string_view kind = text.substr(0, kind_end);
  const std::size_t dot = std::min(kind.find('.'), kind.size());
  out.resource = kind.substr(0, dot);
  if (dot < kind.size()) out.group = kind.substr(dot + 1);
  const std::string_view rest = text.substr(std::min(kind_end + 1, text.size()));
  const std::size_t name_end = std::min(rest.find('/'), rest.size());
  out.name = rest.substr(0, name_end);
  out.resource += rest.substr(name_end);
  return out;
}

AskedCall asked_by(const ServerRequest& request) {
  AskedCall out;
  const std::string agent = header_of(request, "user-agent");
  out.program = agent.substr(0, agent.find('/'));
  const auto path = parse_resource_path(request.path);
  if (!path || path->plural.empty()) {
    out.verb = "get";
    out.path = request.path;
    return out;
  }
  out.verb = verb_of(request, *path);
  out.group = path->group;
  out.name_space = path->name_space;
  out.resource = path->plural + (path->subresource.empty() ? "" : "/" + path->subresource);
  out.name = name_of(request, *path);
  return out;
}

bool is_apply(const ServerRequest& request, const AskedCall& call) {
  return call.verb == "patch" && call.resource.find('/') == std::string::npos &&
         header_of(request, "content-type").starts_with("application/apply-patch");
}

}  // namespace holdfast::test
