"""Messages of a .proto file, as Python classes."""

import importlib
import pathlib
import subprocess
import sys


def compiled(source, work_folder):
    """The module that protoc makes of `source`; what it writes goes to `work_folder`."""
    source = pathlib.Path(source)
    subprocess.run(["protoc", f"--proto_path={source.parent}", f"--python_out={work_folder}", source], check=True)
    return loaded(source.stem, work_folder)


def loaded(stem, work_folder):
    """The module that compiled() made of STEM.proto earlier."""
    if str(work_folder) not in sys.path:
        sys.path.insert(0, str(work_folder))
    return importlib.import_module(f"{stem}_pb2")
