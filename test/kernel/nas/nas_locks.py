"""Locks of NFS version 3 by csi-nas, and the kernel's tables of calls. For scripts that run in the network namespace of the
node (test/kernel/nfs_servers.sh)."""

import fcntl
import os
import pathlib
import shutil
import subprocess

from nas_node import Volume, require

EXPORT = pathlib.Path("/srv/share")
SLOTS = 128


class Locker:
    """A volume by version 3, with locks at the server."""

    SERVICES = ("rpcbind", "rpc.statd")

    def __init__(self, node):
        self.node = node
        self.volume = Volume("pv-1-locks", "/srv/share/locks", "3", "10.9.1.1", options="noresvport")

    @staticmethod
    def _running():
        """Those of the node's network: the servers have their own."""
        here = os.readlink("/proc/self/ns/net")
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(path / "ns/net") == here:
                    found.append((path / "comm").read_text().strip())
            except OSError:
                continue
        return sorted(set(Locker.SERVICES) & set(found)), sum(name in Locker.SERVICES for name in found)

    @staticmethod
    def _install():
        for name in (*Locker.SERVICES, "sm-notify"):
            os.symlink(shutil.which(name), f"/usr/sbin/{name}")
        # The driver's children have no environment that could name the folder of their library.
        pathlib.Path("/etc/ld.so.conf.d/guest.conf").write_text(os.environ["LD_LIBRARY_PATH"].replace(":", "\n") + "\n")
        subprocess.run(["ldconfig"], check=True)

    def locked(self):
        self.node.refused("FAILED_PRECONDITION", self.volume.stage())
        require(self._running()[1] == 0, "something was started")
        self._install()
        for _ in range(2):
            self.node.ok(self.volume.stage(), self.volume.publish())
            require(self._running() == (["rpc.statd", "rpcbind"], 2), f"{self._running()} run")
        with open(self.volume.target() / "file", "wb") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The client's inode has the same number; the server's has its own line, of the file system that is exported.
            info = (EXPORT / "locks/file").stat()
            name = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino} "
            require(name in pathlib.Path("/proc/locks").read_text(), "the server has no lock")
        self.node.ok(self.volume.unpublish(), self.volume.unstage())


def slots_raised():
    for name in ("tcp_slot_table_entries", "tcp_max_slot_table_entries"):
        number = int(pathlib.Path(f"/proc/sys/sunrpc/{name}").read_text())
        require(number >= SLOTS, f"{name} is {number}")
