"""Namespaces that end with the program that runs in them, so that nothing is left whatever ends it."""

import os
import sys

MARK = "HOLDFAST_DEMO_INSIDE"


def enter(program):
    """Starts `program`, the caller's own file, again in namespaces of its own, unless it runs in them."""
    if os.environ.get(MARK) == program:
        return
    os.environ[MARK] = program
    os.execvp("setpriv", ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
                          "--kill-child=KILL", "--mount-proc", sys.executable, "-B", program, *sys.argv[1:]])
