"""Packing molecules into a periodic cube with packmol (Martínez et al., J. Comput. Chem. 30, 2157 (2009))."""

import shutil
import subprocess
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cgsim.errors import InputError
from cgsim.reference.electrolyte.topology import Electrolyte
from cgsim.typing import Array, Float64
from cgsim.units import AVOGADRO_PER_MOL

TOLERANCE = 2.0  # Å between atoms of different molecules
LONGEST_SECONDS = 600.0
PACKMOL_HINT = "install it with: pip install 'cgsim[md]', or put `packmol` on the PATH"
_CUBIC_ANGSTROM = 1e-24  # cm3
_DECIMALS = 4


def find_packmol() -> Path:
    """Find packmol: beside this Python first, then on the PATH.

    Raises:
        InputError: if there is none; the message says how to install it.
    """
    found = shutil.which("packmol", path=sysconfig.get_path("scripts")) or shutil.which("packmol")
    if found is None:
        raise InputError(f"packmol is not installed; {PACKMOL_HINT}")
    return Path(found)


def box_edge(electrolyte: Electrolyte, density: float) -> float:
    """Edge of a cube of the given density (g/cm3) that holds everything, Å."""
    return float((electrolyte.mass / AVOGADRO_PER_MOL / density / _CUBIC_ANGSTROM) ** (1 / 3))


def pack(
    electrolyte: Electrolyte, density: float, seed: int, packmol: Path
) -> tuple[Float64[Array, "atoms 3"], Float64[Array, "3 3"]]:
    """Place every molecule, as it is, without contacts to others or to their periodic images.

    Args:
        electrolyte: molecules with their conformers.
        density: of the box, g/cm3.
        seed: of packmol.
        packmol: the executable.

    Returns:
        Positions in the order of the molecules, and the cell, Å.

    Raises:
        InputError: if packmol finds no place for them, does not run or does not end.
    """
    edge = box_edge(electrolyte, density)
    label = f"{electrolyte.smiles} with {electrolyte.salt}"
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pack.inp").write_text(_input(folder, electrolyte, edge, seed))
        try:
            with (folder / "pack.inp").open() as text:
                done = subprocess.run(
                    [str(packmol)], stdin=text, cwd=folder, capture_output=True, text=True, check=False,
                    timeout=LONGEST_SECONDS,
                )  # fmt: skip
        except OSError as error:
            raise InputError(f"{packmol}: does not run ({error.strerror}); {PACKMOL_HINT}") from None
        except subprocess.TimeoutExpired:
            done = None
        if done is None or done.returncode != 0 or "Success!" not in done.stdout:
            n = len(electrolyte.molecules)
            raise InputError(
                f"{label}: packmol cannot pack {n} molecules ({electrolyte.n_atoms} atoms) into a cube of {edge:.1f} Å "
                f"({density:g} g/cm3); lower protocol.packing_density"
            )
        positions = np.loadtxt(folder / "packed.xyz", skiprows=2, usecols=(1, 2, 3), ndmin=2)
    if len(positions) != electrolyte.n_atoms:
        raise InputError(f"{label}: packmol wrote {len(positions)} atoms, expected {electrolyte.n_atoms}")
    return np.asarray(positions, dtype=np.float64), edge * np.eye(3)


def _input(folder: Path, electrolyte: Electrolyte, edge: float, seed: int) -> str:
    """Packmol's input, with one file for each conformer beside it."""
    lines = [f"tolerance {TOLERANCE}", "filetype xyz", "output packed.xyz", f"seed {seed}"]
    lines += [f"pbc 0.0 0.0 0.0 {edge:.4f} {edge:.4f} {edge:.4f}", ""]
    for k, part in enumerate(electrolyte.components):
        alike = bool((part.conformers == part.conformers[:1]).all())
        for c in range(1 if alike else part.copies):
            rows = zip(part.topology.atom_names, part.conformers[c], strict=True)
            atoms = "\n".join(f"{name} " + " ".join(f"{x:.{_DECIMALS}f}" for x in row) for name, row in rows)
            (folder / f"{k}-{c}.xyz").write_text(f"{part.topology.n_atoms}\n\n{atoms}\n")
            lines += [f"structure {k}-{c}.xyz", f"  number {part.copies if alike else 1}", "end structure", ""]
    return "\n".join(lines)
