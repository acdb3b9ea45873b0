"""What a command may write: never over what it reads, and never over what is no file."""

from collections.abc import Sequence
from pathlib import Path


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse, before any work, outputs that would replace an input, a device or a folder, or have no folder to be in.

    Raises:
        InputError: naming the output.
    """
    from cgsim.errors import InputError

    for output in outputs:
        if not output.parent.is_dir():
            raise InputError(f"{output}: the directory {output.parent} does not exist")
        if not output.exists():
            continue
        if output.is_dir():
            raise InputError(f"{output}: is a directory, expected the name of a file to write")
        if not output.is_file():
            raise InputError(f"{output}: is a device, expected the name of a file to write")
        for path in inputs:
            if path.exists() and output.samefile(path):
                raise InputError(
                    f"{output}: is read by this command, so it cannot be written as well; choose another name"
                )
