"""What our programs print at /metrics, as their sources name it and CMake puts them together."""

import functools
import pathlib
import re

TREE = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("cni-flannel", "common", "csi-disk", "csi-lvm", "csi-nas", "egw-gateway", "programs")


def metrics_in(files):
    """What sources print, as they name it: {name: kind}."""
    out = {}
    for file in files:
        text = file.read_text()
        for match in re.finditer(r'(gauge|counter|histogram)\(\s*"([a-z0-9_]+)"', text):
            out[match[2]] = match[1]
        for match in re.finditer(r'"((?:flanneld|egw|holdfast)_[a-z0-9_]+)"', text):
            out.setdefault(match[1], "gauge")
    return out


def metrics():
    """What our programs print: {name: kind}."""
    return metrics_in(file for folder in SOURCES for file in sorted((TREE / folder).rglob("*.cpp")))


@functools.cache
def linked():
    """What each target of CMake is made of: {target: its sources}, {target: what it links}."""
    sources, links = {}, {}
    for folder in SOURCES:
        for file in sorted((TREE / folder).rglob("CMakeLists.txt")):
            text = re.sub(r"#.*", "", file.read_text())
            for target, words in re.findall(r"(?:add_library|add_executable|target_sources)\(\s*([\w-]+)([^)]*)\)", text):
                sources.setdefault(target, set()).update(file.parent / word for word in words.split() if word.endswith(".cpp"))
            for target, words in re.findall(r"target_link_libraries\(\s*([\w-]+)([^)]*)\)", text):
                links.setdefault(target, set()).update(words.split())
    return sources, links


@functools.cache
def metrics_of(program):
    """What a program prints: {name: kind}. csi-lvm and its kin are csi-node by another name."""
    sources, links = linked()
    seen, left = set(), [program if program in sources else "csi-node"]
    while left:
        target = left.pop()
        if target not in seen:
            seen.add(target)
            left.extend(links.get(target, ()))
    return metrics_in(file for target in seen for file in sources.get(target, ()))
