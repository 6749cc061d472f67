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

Result<std::string> run_mount(const Ground& ground, Words words) {
  HOLDFAST_TRY(mount::MountOptions options, options_of(words[1], words[2]));
  return nothing_after(
      mount_share(ground, {.source = words[0], .options = std::move(options), .target = words[3]}));
}

Result<std::string> run_make_folder(const Ground& ground, Words words) {
  HOLDFAST_TRY(mount::MountOptions options, options_of(words[1], words[2]));
  return nothing_after(make_folder(
      ground, {.source = words[0], .options = std::move(options), .at = words[3], .path = words[4]}));
}

Result<std::string> run_set_mode(const Ground& ground, Words words) {
  HOLDFAST_TRY(const unsigned long mode, parse_number(words[1]));
  return nothing_after(set_mode(ground, words[0], static_cast<mode_t>(mode)));
}

Result<std::string> run_bind(const Ground& ground, Words words) {
  return nothing_after(bind_part(ground, {.source = words[0],
                                          .part = words[1],
                                          .target = words[2],
                                          .read_only = words[3] == "ro",
                                          .make_parents = words[4] == "parents"}));
}

Result<std::string> run_unmount(const Ground& ground, Words words) {
  return nothing_after(unmount(ground, {.target = words[0],
                                        .how = words[1] == "lazily" ? Unmount::kLazily : Unmount::kOrderly,
                                        .remove = words[2] == "remove"}));
}

struct Verb {
  const char* name;
  std::size_t words;
  Result<std::string> (*run)(const Ground& ground, Words words);
};

constexpr Verb kVerbs[] = {
    {"mount", 4, run_mount},
    {"make-folder", 5, run_make_folder},
    {"set-mode", 2, run_set_mode},
    {"bind", 5, run_bind},
    {"unmount", 3, run_unmount},
    {"look", 1, [](const Ground& ground, Words words) { return look_at(ground, words[0]); }},
};

}  // namespace

Result<std::string> Nascmd::run(std::span<const std::string> words) {
  if (words.size() == 2 && words[0] == "resolve") return resolve_host(words[1]);
  if (words.size() == 1 && words[0] == "lock-services") return nothing_after(start_lock_services());
  for (const Verb& verb : kVerbs) {
    if (words.size() != verb.words + 1 || words[0] != verb.name) continue;
    if (!ground_) {
      HOLDFAST_TRY(ground_, open_ground(root_));
    }
    return verb.run(*ground_, words.subspan(1));
  }
  return fail(Code::kInvalidArgument, "nascmd was told what it does not know: it is of another version");
}

}  // namespace holdfast::nas
