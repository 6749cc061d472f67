"""Shows check_layers.py trees that break one rule each, and one that breaks none."""

import pathlib
import tempfile
import unittest

from check_layers import violations

GOOD = {
    "common/base/fd.h": "#include <utility>\n",
    "common/base/json.h": "#include <nlohmann/json_fwd.hpp>\n",
    "common/base/json.cpp": '#include "common/base/json.h"\n#include <nlohmann/json.hpp>\n',
    "common/netlink/link.h": '#include "common/base/fd.h"\n',
    "common/mount/mounter.h": "",
    "common/yaml/yaml.h": '#include "common/base/fd.h"\n',
    "common/http/page.h": "",
    "common/csi/health.h": '#include "common/http/page.h"\n',
    "common/kube/config.cpp": '#include "common/yaml/yaml.h"\n',
    "common/firewall/nftables.h": '#include "common/netlink/link.h"\n',
    "cni-flannel/plugin/add.cpp": '#include "common/netlink/link.h"\n#include "cni-flannel/ipam/ipam.h"\n',
    "cni-flannel/ipam/ipam.h": "",
    "common/staging/stage.h": '#include "common/mount/mounter.h"\n#include "common/csi/health.h"\n',
    "csi-nas/shares.h": "",
    "csi-nas/node.h": '#include "common/staging/stage.h"\n',
    "programs/flannel.cpp": '#include "cni-flannel/ipam/ipam.h"\n',
    "test/fakes/fake.h": "",
}
BAD = {
    "base includes a port": ("common/base/x.cpp", '#include "common/netlink/link.h"', "higher layer"),
    "file format includes a port": ("common/yaml/x.h", '#include "common/netlink/link.h"', "higher layer"),
    "pages include a port": ("common/http/x.h", '#include "common/mount/mounter.h"', "higher layer"),
    "port includes a component": ("common/netlink/x.h", '#include "csi-nas/shares.h"', "higher layer"),
    "component includes a program": ("csi-nas/x.cpp", '#include "programs/flannel.cpp"', "higher layer"),
    "port includes its neighbour": ("common/kube/x.h", '#include "common/mount/mounter.h"', "neighbour mount"),
    "port includes staging": ("common/mount/x.h", '#include "common/staging/stage.h"', "higher layer"),
    "netlink includes what stands on it": ("common/netlink/x.h", '#include "common/mount/mounter.h"', "higher layer"),
    "component includes its neighbour": ("csi-nas/x.h", '#  include "cni-flannel/ipam/ipam.h"', "neighbour cni-flannel"),
    "product includes a test": ("csi-nas/x.cpp", '#include "test/fakes/fake.h"', "not part of the product"),
    "relative include": ("common/netlink/x.h", '#include "link.h"', "not a path from the root"),
    "include that climbs": ("csi-nas/x.h", '#include "../cni-flannel/ipam/ipam.h"', "not a path from the root"),
    "heavy JSON in a common header": ("common/kube/x.h", "#include <nlohmann/json.hpp>", "includes <nlohmann/json.hpp>"),
    "gRPC in a common header": ("common/csi/x.h", "#include <grpcpp/server.h>", "includes <grpcpp/server.h>"),
    "spdlog in a common header": ("common/base/x.h", '#include "spdlog/spdlog.h"', "includes <spdlog/spdlog.h>"),
    "file of no layer": ("common/loose.h", "", "belongs to no layer"),
}


def found_in(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return violations(folder)


class Layers(unittest.TestCase):
    def test_a_tree_that_keeps_the_rules_passes(self):
        self.assertEqual(found_in(GOOD), [])

    def test_each_broken_rule_is_found_where_it_is_broken(self):
        for name, (file, line, message) in BAD.items():
            with self.subTest(name):
                found = found_in({**GOOD, file: f"\n{line}\n"})
                self.assertEqual(len(found), 1, found)
                self.assertIn(message, found[0])
                self.assertTrue(found[0].startswith(file + ":"), found[0])


if __name__ == "__main__":
    unittest.main()
