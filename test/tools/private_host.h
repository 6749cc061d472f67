#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace holdfast::test {

/// Leaves the machine's network and mount namespaces for good: lo is up, /run is an empty tmpfs, and `state`
/// appears as /var/lib/cni (empty: a tmpfs). Everything made from here on ends with the process. Needs root
/// and one thread.
Status enter_private_host(const std::filesystem::path& state);

/// What a reboot does to a private host: another network namespace, an empty /run; /var/lib/cni stays.
Status renew_private_host();

/// Errors: kFailedPrecondition when `folder` lies in memory (tmpfs, ramfs), where fsync(2) costs nothing.
Status require_disk(const std::filesystem::path& folder);

/// A network namespace kept by the file /run/netns/<name>, with lo up. Returns that path.
Result<std::filesystem::path> make_netns(const std::string& name);
Status drop_netns(const std::filesystem::path& netns);

/// Runs `body` on a fresh thread that has joined `netns`.
Status in_netns(const std::filesystem::path& netns, const std::function<Status()>& body);

/// Names of the links of the calling thread's namespace.
Result<std::vector<std::string>> link_names();
/// Names of the links of another namespace.
Result<std::vector<std::string>> link_names_in(const std::filesystem::path& netns);

}  // namespace holdfast::test
