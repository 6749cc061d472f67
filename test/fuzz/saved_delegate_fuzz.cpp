#include <nlohmann/json.hpp>

#include "cni-flannel/plugin/bridge_conf.h"
#include "cni-flannel/plugin/delegate.h"
#include "cni-flannel/plugin/delegate_store.h"
#include "test/fakes/temporary_folder.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace flannel = holdfast::flannel;
using holdfast::fuzz::require;

// What DEL decodes of a saved configuration.
void decode(const flannel::SavedDelegate& saved) {
  require((saved.conf == nullptr) != saved.defect.empty());
  if (saved.conf == nullptr || !flannel::kind_of(saved.conf)) return;
  static_cast<void>(flannel::parse_bridge_conf(saved.conf, {}));
  static_cast<void>(flannel::parse_host_local_conf(saved.conf, {}, {}));
}

}  // namespace

// A file of any content is taken for the attachment's, is found by GC only if it can be read, and can be
// replaced and removed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const holdfast::test::TemporaryFolder folder;
  holdfast::PosixFiles files;
  flannel::DelegateStore store(files, folder.path());
  require(files.create(folder / "c1", holdfast::fuzz::text_of(data, size), 0600).has_value());
  const auto saved = store.load("c1", "eth0").value();
  if (saved) decode(*saved);
  const auto stale = store.list_stale({}, "cbr0").value();
  require(stale.size() <= 1 && (stale.empty() || stale.front().saved.conf != nullptr));

  const auto conf = saved && saved->conf ? saved->conf : holdfast::cni::parse_document("{}", "test").value();
  require(store.save("c1", "eth0", conf, flannel::Durability::kLazy).has_value());
  const auto again = store.load("c1", "eth0").value();
  require(again && again->conf && *again->conf == *conf);
  require(store.remove(*again, flannel::Durability::kLazy).has_value());
  require(files.remove(folder / "c1").has_value());
  return 0;
}
