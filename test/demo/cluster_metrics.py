"""What the cluster's programs show on /metrics, against what rules, boards and docs name."""

import sys

from edge_site import ROOT
from gateway_site import GET

sys.path.insert(0, str(ROOT / "test/release"))
import monitoring  # noqa: E402

# Beginnings of names; what is not among them needs an NFS server, or a cloud with disks.
METRICS = ("flanneld_", "egw_access_", "egw_core_", "egw_helper_", "holdfast_api_", "holdfast_csi_", "holdfast_egw_",
           "holdfast_flannel_", "holdfast_kubelet_", "holdfast_lvm_", "holdfast_nfs_calls_stuck", "holdfast_nrm_",
           "holdfast_volume_stats_stuck", "csi_plugin_")
NODE_PORTS = (8081, 9810, 11260, 11262)  # flanneld, egw-helper, csi-node, node-resource-manager


def absent(cluster):
    """The names that no program shows; and how many do."""
    node, cloud = cluster.nodes[2], cluster.cloud
    pages = [node.run(*GET, f"http://127.0.0.1:{port}/metrics") for port in NODE_PORTS]
    pages += [cloud.run(*GET, f"http://127.0.0.1:{port}/metrics") for port in cloud.health_ports()]
    pages += [point.run(*GET, "http://127.0.0.1:8080/metrics") for point in cluster.points.values()]
    pages.append(cluster.core_page("a", "/metrics"))
    wanted = [name for name in sorted(monitoring.named()) if name.startswith(METRICS)]
    shown = {line.split()[2] for page in pages for line in page.splitlines() if line.startswith("# TYPE ")}
    return [name for name in wanted if name not in shown], len(wanted)
