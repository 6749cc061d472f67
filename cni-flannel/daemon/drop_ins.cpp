#include "cni-flannel/daemon/drop_ins.h"

#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include "common/base/state_file.h"

namespace holdfast::flannel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBytes = 64 * 1024;
constexpr std::chrono::seconds kReloadDeadline{2};
/// A VLAN's gateway, the plugin's host ends of pods' veth pairs (names.h there), and those of flannel's own
/// plugin.
constexpr std::array<const char*, 3> kPodLinks{"cni0.*", "veth???????????", "veth????????"};

std::string joined(const std::vector<std::string>& words, std::string_view before, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += std::string(before) + word;
  }
  return out;
}

bool is_ours(const std::string& content) { return content.starts_with(kDropInMark); }

/// What stands at the place of a drop-in.
struct Found {
  std::optional<std::string> content;  // of one of ours
  std::string note;                    // why it is not to be touched
};

Found look_at(Files& files, const DropIn& drop_in) {
  Result<std::optional<std::string>> there = files.read(drop_in.file, kMaxBytes);
  if (!there) return {std::nullopt, there.error().message};
  if (*there && !is_ours(**there)) {
    return {std::nullopt, drop_in.file.native() +
                              " is not ours and is left as it is; it should keep its daemon "
                              "off the overlay's links"};
  }
  return {*std::move(there), ""};
}

Status put(Files& files, const DropIn& drop_in) {
  HOLDFAST_CHECK(files.make_folders(drop_in.file.parent_path(), 0755));
  return replace_file(files, drop_in.file, drop_in.content, 0644);
}

}  // namespace

std::vector<DropIn> drop_ins(const fs::path& run_dir, const std::vector<std::string>& overlay) {
  const std::string mark(kDropInMark);
  std::vector<std::string> links = overlay;
  links.insert(links.end(), kPodLinks.begin(), kPodLinks.end());
  const std::string names = joined(links, "", " ");
  const fs::path networkd = run_dir / "systemd/network";
  return {{run_dir / "udev/control",
           networkd / "10-flanneld.link",
           mark + "[Match]\nOriginalName=" + names + "\n\n[Link]\nNamePolicy=keep\nMACAddressPolicy=none\n",
           {}},
          {run_dir / "systemd/netif/state",
           networkd / "10-flanneld.network",
           mark + "[Match]\nName=" + names + "\n\n[Link]\nUnmanaged=yes\n",
           {"networkctl", "reload"}},
          {run_dir / "NetworkManager/devices",
           run_dir / "NetworkManager/conf.d/10-flanneld.conf",
           mark + "[keyfile]\nunmanaged-devices+=" + joined(links, "interface-name:", ";") + "\n",
           {"nmcli", "general", "reload", "conf"}}};
}

DropInNews put_drop_ins(Files& files, const std::vector<DropIn>& wanted) {
  DropInNews out;
  for (const DropIn& drop_in : wanted) {
    std::error_code error;
    if (!fs::exists(drop_in.daemon, error)) continue;
    Found found = look_at(files, drop_in);
    if (found.content == drop_in.content) continue;
    if (found.note.empty()) {
      const Status done = put(files, drop_in);
      if (!done) found.note = done.error().message;
    }
    if (found.note.empty()) {
      out.changed.push_back(drop_in);
    } else {
      out.notes.push_back(std::move(found.note));
    }
  }
  return out;
}

DropInNews remove_drop_ins(Files& files, const std::vector<DropIn>& unwanted) {
  DropInNews out;
  for (const DropIn& drop_in : unwanted) {
    if (!look_at(files, drop_in).content) continue;
    const Status done = files.remove(drop_in.file);
    if (done) {
      out.changed.push_back(drop_in);
    } else {
      out.notes.push_back(done.error().message);
    }
  }
  return out;
}

std::vector<std::string> reload_daemons(Executor& executor, const std::vector<DropIn>& changed) {
  std::vector<std::string> out;
  for (const DropIn& drop_in : changed) {
    if (drop_in.reload.empty()) continue;
    Command command;
    command.argv = drop_in.reload;
    command.argv[0] = find_system_program(drop_in.reload[0]);
    command.deadline = kReloadDeadline;
    if (command.argv[0].empty()) continue;
    const Result<CommandResult> done = executor.run(command);
    if (!done) {
      out.push_back(done.error().message);
    } else if (!done->succeeded()) {
      out.push_back(joined(drop_in.reload, "", " ") + " failed: " + done->errors);
    }
  }
  return out;
}

}  // namespace holdfast::flannel
