"""Checks of docs/ against the tree: python3 check_docs.py [TREE]. Prints what is wrong, a line each, and fails when there is something.

docs/compatibility.md and docs/pitfalls.md: every test that they name as a proof exists, and a row without one says that it is not
served or shown.
docs/pitfalls.md: every thread and number of test/docs/pitfalls.txt has its row, and no row has another.
docs/failures.md: every row of `holdfast doctor` that it quotes is one that the program can print: it is put together of whole texts of
the sources, `…` being what stands between them.
All pages: where a program is told, or said, to serve its health at a port of 112xx or with --healthz and --metrics-address, it is one
that the program has in the header of its names or in a manifest.
"""

import pathlib
import re
import sys

PRINTERS = ("cni-flannel/inspect", "cni-flannel/daemon", "common/firewall", "egw-gateway/inspect", "egw-gateway/helper")
LITERALS = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+')
# Put together of pieces of what the program prints: the check must not take them.
INVENTED = ("flannel.1: is on fire; restart the interface", "cni0: is missing: ip link add cni0 type bridge",
            "clock: is ahead of the time at which the state was written: certificates may seem expired")
NO_PROOFS = ("none", "some words", "`kube/watcher_test`", "`kube/watcher_test` nobody has written such a case", "`release/nothing.sh`")
HEALTH = r"--(?:healthz|metrics-address)=[^\s,\]]*:(\d+)"
BEGIN = 24  # characters by which a test case is known: the end of its name may be said better one day


def cases(file):
    """The names of the test cases in a source."""
    for literals in re.findall(r'TEST_CASE(?:_METHOD)?\(\s*(?:\w+,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)', file.read_text()):
        yield joined(literals)


def joined(literals):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)).replace('\\"', '"')


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def rows_of(page):
    """The cells of all tables' rows, without their headings."""
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        yield from (cells_of(line) for line in table.splitlines()[2:])


def wrong_proof(tree, proof, here):
    """What is wrong with one; empty: nothing. `here` is what its row says that Holdfast does."""
    if proof == "none":
        return "" if here.startswith("not ") else "has no proof, and does not say so"
    match = re.fullmatch(r"`([^`]+)`(?: (.+))?", proof)
    if not match:
        return f"'{proof}' names no test"
    path, case = match.groups()
    file = tree / "test" / (path if path.endswith(".sh") else f"{path}.cpp")
    if not file.is_file():
        return f"there is no {path}"
    if case and case[:BEGIN] not in {each[:BEGIN] for each in cases(file)}:
        return f"{path} has no case '{case}'"
    return "" if case or path.endswith(".sh") else f"{path}: which of its cases?"


def wrong_proofs(tree):
    for page, least in (("compatibility.md", 110), ("pitfalls.md", 300)):
        named = [(row, proof.strip()) for row in rows_of(tree / "docs" / page) for proof in row[-1].split("<br>")]
        found = ((row, wrong_proof(tree, proof, row[-2])) for row, proof in named)
        yield from (f"{page}: {row[0]}: {wrong}" for row, wrong in found if wrong)
        if len(named) < least:
            yield f"{page}: proofs are missing"
    yield from (f"check_docs.py: takes {proof} for a proof" for proof in NO_PROOFS if not wrong_proof(tree, proof, "kept"))


def numbers_in(text):
    """`one#1, #2, two#3; D4` as one#1, one#2, two#3, D4; `D1-D3` as D1, D2, D3."""
    repository = None
    for name, thread, letter, first, last in re.findall(r"([\w./-]+)?#(\d+)|\b([BDPTXY])(\d+)(?:-[BDPTXY](\d+))?\b", text):
        repository = name or repository
        if thread:
            yield f"{repository}#{thread}"
        else:
            yield from (f"{letter}{number}" for number in range(int(first), int(last or first) + 1))


def wrong_numbers(tree):
    known = set(numbers_in((tree / "test/docs/pitfalls.txt").read_text()))
    told = {number for row in rows_of(tree / "docs/pitfalls.md") for number in numbers_in(row[1])}
    yield from (f"pitfalls.md: {number} has no row" for number in sorted(known - told))
    yield from (f"pitfalls.md: {number} is not in pitfalls.txt" for number in sorted(told - known))
    if list(numbers_in("a/b#1, #2; D3, c#4, P1-P3")) != ["a/b#1", "a/b#2", "D3", "c#4", "P1", "P2", "P3"]:
        yield "check_docs.py: numbers are not read"


def texts(tree):
    """All that the sources may print, longest first: of what is formatted, what stands between the braces."""
    out = set()
    for folder in PRINTERS:
        for file in sorted((tree / folder).glob("*.[ch]*")):
            for match in LITERALS.findall(file.read_text()):
                out |= {part.strip() for part in re.split(r"\{[^}]*\}", joined(match))}
    return sorted(filter(None, out), key=len, reverse=True)


def is_whole(fragment, known):
    return not fragment or any(fragment.startswith(text) and is_whole(fragment[len(text):].strip(), known) for text in known)


def unprinted(quotation, known):
    """What of it is not put together of texts; empty: nothing. After `…` the last part of a path may stand."""
    first, *others = [fragment.strip() for fragment in quotation.split("…")]
    lost = [] if is_whole(first, known) else [first]
    lost += [each for each in others if not is_whole(each, known) and not any(text.endswith(f"/{each}") for text in known)]
    return lost[0] if lost else ""


def lost_of(row, known):
    """What of a row nobody prints; all of it, when it is none."""
    what, colon, detail = row.partition(": ")
    return (unprinted(what, known) or unprinted(detail, known)) if colon else row


def quotations(tree):
    """The handbook's rows of doctor: those of tables with such a column."""
    column = None
    for line in (tree / "docs/failures.md").read_text().splitlines():
        cells = cells_of(line)
        if not line.startswith("|"):
            column = None
        elif "`holdfast doctor`" in cells:
            column = cells.index("`holdfast doctor`")
        elif column is not None and not line.startswith("|---"):
            yield from re.findall(r"`([^`]+)`", cells[column])


def wrong_rows(tree):
    known = texts(tree)
    rows = list(quotations(tree))
    for row in rows:
        if lost := lost_of(row, known):
            yield f"failures.md: doctor cannot print '{row}': '{lost}' is in no source"
    yield from (f"check_docs.py: takes '{row}', which nobody prints" for row in INVENTED if not lost_of(row, known))
    if len(rows) < 30:
        yield "failures.md: rows of doctor are missing"


def ports(tree):
    """By program, and by folder of manifests, those at which its health is served."""
    out = {}
    header = (tree / "egw-gateway/model/gateway_names.h").read_text()
    for name, port in re.findall(r"k(\w+)HealthPort = (\d+);", header):
        out.setdefault(f"egw-{name.lower()}", set()).add(port)
    for file in sorted((tree / "manifests/base").glob("*/*.yaml")):
        for program, arguments in re.findall(r"command: \[([a-z-]+)\](.*?)(?=image:|\Z)", file.read_text(), re.DOTALL):
            for port in re.findall(HEALTH, arguments):
                out.setdefault(program, set()).add(port)
                out.setdefault(file.parent.name, set()).add(port)
    return out


def told_ports(text):
    """(program, port) of what a page says."""
    for program, flags in re.findall(r"^ +([a-z-]+) (--.*)$", text, re.MULTILINE):
        yield from ((program, port) for port in re.findall(HEALTH, flags))
    yield from ((program, port) for port, program in re.findall(r"\b(112\d\d)\s\(?([a-z]+-[a-z-]+)", text))
    yield from ((program, port) for port, program in re.findall(r':(112\d\d)"\].*program: ([a-z-]+)', text))


def wrong_ports(tree):
    known, told = ports(tree), 0
    for page in sorted((tree / "docs").glob("*.md")):
        for program, port in told_ports(page.read_text()):
            told += 1
            if port not in known.get(program, set()):
                yield f"{page.name}: {program} at port {port}, which is {', '.join(sorted(known.get(program, ['unknown'])))}"
    if told < 15 or any(port in known["egw-helper"] for _, port in told_ports("    egw-helper --healthz=127.0.0.1:9810\n")):
        yield "check_docs.py: ports are not found, or all are taken"


def main():
    tree = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = [*wrong_proofs(tree), *wrong_numbers(tree), *wrong_rows(tree), *wrong_ports(tree)]
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
