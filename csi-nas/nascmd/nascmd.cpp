#include "csi-nas/nascmd/nascmd.h"

#include <charconv>
#include <cstdint>
#include <functional>
#include <vector>

#include "csi-nas/nascmd/lock_services.h"
#include "csi-nas/nascmd/verbs.h"

namespace holdfast::nas {
namespace {

using Words = std::span<const std::string>;

Result<unsigned long> parse_number(const std::string& text) {
  unsigned long number = 0;
  const char* end = text.data() + text.size();
  if (!text.empty() && std::from_chars(text.data(), end, number).ptr == end) return number;
  return fail(Code::kInvalidArgument, "nascmd: '" + text + "' is not a number");
}

Result<mount::MountOptions> options_of(const std::string& flags, const std::string& data) {
  HOLDFAST_TRY(const unsigned long number, parse_number(flags));
  return mount::MountOptions{.flags = number, .data = data};
}

Result<std::string> nothing_after(const Status& done) {
  if (done) return std::string();
  return tl::unexpected(done.error());
}

Result<std::string> run_mount(const std::string& root, Words words) {
  HOLDFAST_TRY(mount::MountOptions options, options_of(words[1], words[2]));
  return nothing_after(
      mount_share(root, {.source = words[0], .options = std::move(options), .target = words[3]}));
}

Result<std::string> run_make_folder(const std::string& root, Words words) {
  HOLDFAST_TRY(mount::MountOptions options, options_of(words[1], words[2]));
  return nothing_after(make_folder(
      root, {.source = words[0], .options = std::move(options), .at = words[3], .path = words[4]}));
}

Result<std::string> run_set_mode(const std::string& root, Words words) {
  HOLDFAST_TRY(const unsigned long mode, parse_number(words[1]));
  return nothing_after(set_mode(root, words[0], static_cast<mode_t>(mode)));
}

Result<std::string> run_bind(const std::string& root, Words words) {
  return nothing_after(bind_part(root, {.source = words[0],
                                        .part = words[1],
                                        .target = words[2],
                                        .read_only = words[3] == "ro",
                                        .make_parents = words[4] == "parents"}));
}

Result<std::string> run_unmount(const std::string& root, Words words) {
  return nothing_after(unmount(root, {.target = words[0],
                                      .how = words[1] == "lazily" ? Unmount::kLazily : Unmount::kOrderly,
                                      .remove = words[2] == "remove"}));
}

struct Verb {
  const char* name;
  std::size_t words;
  Result<std::string> (*run)(const std::string& root, Words words);
};

constexpr Verb kVerbs[] = {
    {"resolve", 1, [](const std::string& /*root*/, Words words) { return resolve_host(words[0]); }},
    {"lock-services", 0,
     [](const std::string& /*root*/, Words /*words*/) { return nothing_after(start_lock_services()); }},
    {"mount", 4, run_mount},
    {"make-folder", 5, run_make_folder},
    {"set-mode", 2, run_set_mode},
    {"bind", 5, run_bind},
    {"unmount", 3, run_unmount},
    {"look", 1, [](const std::string& root, Words words) { return look_at(root, words[0]); }},
};

}  // namespace

Result<std::string> nascmd(const std::string& root, std::span<const std::string> words) {
  for (const Verb& verb : kVerbs) {
    if (words.size() == verb.words + 1 && words[0] == verb.name) return verb.run(root, words.subspan(1));
  }
  return fail(Code::kInvalidArgument, "nascmd was told what it does not know: it is of another version");
}

}  // namespace holdfast::nas
