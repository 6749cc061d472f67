"""Checks that includes point downwards only: programs > components > staging > ports > netlink > file formats > base.

    check_layers.py ROOT      prints FILE:LINE: what is wrong; exit status 1 if anything is

A component or a port includes itself and what is below it, never a neighbour. Headers of common/ keep the heavy
headers of libraries away from those who include them. The product includes nothing of test/.
"""

import pathlib
import re
import sys

COMPONENTS = ("cni-flannel", "csi-disk", "csi-lvm", "csi-nas", "egw-gateway")
FOLDERS = ("programs", "common", *COMPONENTS)
HEAVY_HEADERS = re.compile(r"grpc\+\+/|grpcpp/|grpc/|spdlog/|nlohmann/json\.hpp$")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
BASE, FORMAT, NETLINK, PORT, STAGING, COMPONENT, PROGRAM = range(7)


def unit_of(path):
    """(layer, name) of a path from the root; name tells neighbours of one layer apart. None: not of the product."""
    parts = pathlib.PurePosixPath(path).parts
    if parts[:2] == ("common", "base"):
        return BASE, "base"
    if parts[:2] in (("common", "http"), ("common", "yaml")):
        return FORMAT, parts[1]
    if parts[:2] == ("common", "netlink"):
        return NETLINK, "netlink"  # a port that others stand on: the firewall's rules travel through it
    if parts[:2] == ("common", "staging"):
        return STAGING, "staging"  # what several components do alike with several ports
    if parts[0] == "common" and len(parts) > 2:
        return PORT, parts[1]
    if parts[0] in COMPONENTS:
        return COMPONENT, parts[0]
    if parts[0] == "programs":
        return PROGRAM, "programs"
    return None


def wrong_include(root, file, quote, target):
    """What is wrong with one include of `file` (a path from the root), or None."""
    if file.startswith("common/") and file.endswith(".h") and HEAVY_HEADERS.match(target):
        return f"a header of common/ includes <{target}>"
    if quote == "<" or target.endswith(".pb.h"):
        return None
    if not (root / target).is_file():
        return f'"{target}" is not a path from the root of the tree'
    user, used = unit_of(file), unit_of(target)
    if used is None:
        return f'"{target}" is not part of the product'
    if user[0] < used[0]:
        return f'"{target}" is of a higher layer'
    if user[0] == used[0] and user[1] != used[1]:
        return f'"{target}" belongs to the neighbour {used[1]}'
    return None


def violations(root):
    """All that is wrong below `root`, as FILE:LINE: TEXT."""
    root = pathlib.Path(root)
    found = []
    for path in sorted(p for folder in FOLDERS for p in (root / folder).rglob("*") if p.suffix in (".h", ".cpp")):
        file = path.relative_to(root).as_posix()
        if unit_of(file) is None:
            found.append(f"{file}:1: belongs to no layer")
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            include = INCLUDE.match(line)
            wrong = include and wrong_include(root, file, *include.groups())
            if wrong:
                found.append(f"{file}:{number}: {wrong}")
    return found


if __name__ == "__main__":
    bad = violations(sys.argv[1])
    print(*bad, sep="\n", end="\n" if bad else "")
    sys.exit(1 if bad else 0)
