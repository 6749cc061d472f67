"""Messages of a .proto file, as Python classes."""

import importlib
import pathlib
import subprocess
import sys


def compile_to(source, work_folder):
    subprocess.run(["protoc", f"--proto_path={pathlib.Path(source).parent}", f"--python_out={work_folder}", source],
                   check=True)


def compiled(source, work_folder):
    """The module that protoc makes of `source`; what it writes goes to `work_folder`."""
    compile_to(source, work_folder)
    return loaded(pathlib.Path(source).stem, work_folder)


def loaded(stem, work_folder):
    """The module that compile_to() made of STEM.proto earlier."""
    if str(work_folder) not in sys.path:
        sys.path.insert(0, str(work_folder))
    importlib.invalidate_caches()  # it remembers what a folder held, by the second
    return importlib.import_module(f"{stem}_pb2")
