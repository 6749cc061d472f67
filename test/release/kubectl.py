"""Checks of manifests and docs by kubectl and helm themselves, with no cluster: python3 kubectl.py CHECK, one of those in main().

Prints what is wrong, a line each, and fails when there is something.
"""

import pathlib
import re
import shlex
import sys

import kube_tools
import overlays
from overlays import TREE, kustomize

PAGES = (*sorted((TREE / "docs").glob("*.md")), TREE / "manifests/README.md", TREE / "README.md")
TOOLS = ("kubectl", "helm")


def differences(where, folder):
    """Where kubectl renders other objects than scripts/kustomize.py."""
    try:
        theirs = [each for each in kustomize.yaml.safe_load_all(kube_tools.output_of("kubectl", "kustomize", folder)) if each]
    except kube_tools.Failed as error:
        yield f"{where}: {error}"
        return
    wanted = {kustomize.identity(each): each for each in theirs}
    ours = {kustomize.identity(each): each for each in kustomize.render(folder)}
    if len(wanted) != len(theirs):
        yield f"{where}: kubectl renders an object twice"
    for key in sorted(set(wanted) | set(ours), key=str):
        if wanted.get(key) != ours.get(key):
            yield f"{where}: {key[1]} {key[3]}: kubectl has {wanted.get(key)}, kustomize.py {ours.get(key)}"


def wrong_folders():
    # a component renders beside others only: the docs' examples have it
    folders = [file.parent for name in kustomize.NAMES for file in sorted((TREE / "manifests").rglob(name))
               if "components" not in file.parts]
    for folder in (*folders, TREE / "test/fixtures/kustomize"):
        yield from differences(folder.relative_to(TREE), folder)
    if len(folders) < 18:
        yield "there are folders missing"


def wrong_examples():
    for page, site in overlays.examples():
        yield from differences(page, site)
    for folder in overlays.refused():
        if not list(kube_tools.failures_of("kubectl", "kustomize", folder)):
            yield f"kubectl takes {pathlib.Path(folder, 'kustomization.yaml').read_text()}"


def shown_in(text):
    """What a page shows as it is: lines of blocks, and what stands between backticks."""
    for line in text.splitlines():
        if line.startswith("    "):
            yield line
        else:
            yield from re.findall(r"`([^`]+)`", line)


def commands_of(line):
    """The commands of a line of the shell that begin with one of the tools."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.wordchars += "$,@{}:=[]"
    command = []
    for word in [*lexer, ";"]:
        if set(word) <= set("();<>|&"):
            at = next((i for i, each in enumerate(command) if each in TOOLS), None)
            if at is not None:
                yield command[at:]
            command = []
        else:
            command.append(word)


def documented():
    """(page's name, words) of every command of kubectl and helm that a page shows."""
    for page in PAGES:
        for line in shown_in(page.read_text()):
            if any(tool in line for tool in TOOLS):
                yield from ((page.name, command) for command in commands_of(line))


def wrong_commands():
    """A tool that is asked for help behind a command has read its flags, and tells of the command that it took them for."""
    seen = 0
    for page, command in documented():
        if len(command) < 2:
            continue
        seen += 1
        # `kubectl apply -k`: of whichever folder
        rest = ["FOLDER"] if command[-1] in ("-k", "-f") else []
        # what stands behind `--` is another program's
        own = command[:command.index("--")] if "--" in command else command
        try:
            said = kube_tools.output_of(*own, *rest, "--help")
        except kube_tools.Failed as error:
            yield f"{page}: {error}"
            continue
        usage = re.search(rf"^Usage:\n  {command[0]} ([a-z]\S*)", said, re.MULTILINE)
        if not usage or usage[1] not in command:
            yield f"{page}: {' '.join(command)}: there is no such command"
    if seen < 40:
        yield f"of {seen} commands only something is known: others were lost"


def main():
    checks = {"folders": wrong_folders, "examples": wrong_examples, "commands": wrong_commands}
    found = list(checks[sys.argv[1]]())
    print("\n".join(found))
    sys.exit(1 if found else 0)


main()
