"""What the molecules of a system are called: ``Li``, ``TFSI``, ``polymer``; the one place that names them."""

from collections import Counter

import numpy as np
from rdkit.Chem import GetPeriodicTable

from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Float64, Int64

POLYMER = "polymer"
LARGEST_SMALL_MOLECULE = 30  # atoms: a neutral molecule above this is called a polymer
LARGEST_MOLECULAR_ION = 120  # atoms: above this a charged molecule is a polyion, and called a polymer too
NEUTRAL = 0.25  # e: the net charge of a chain whose rounded partial charges do not quite cancel stays below this

FAMILIAR = {
    "C2F6NO4S2": "TFSI",
    "F2NO4S2": "FSI",
    "C4F10NO4S2": "BETI",
    "CF3O3S": "Tf",
    "F6P": "PF6",
    "BF4": "BF4",
    "ClO4": "ClO4",
    "AsF6": "AsF6",
    "C4BO8": "BOB",
    "C2BF2O4": "DFOB",
    "NO3": "NO3",
    "CNS": "SCN",
    "C3H4O3": "EC",
    "C4H6O3": "PC",
    "C3H6O3": "DMC",
    "C6H11N2": "EMIM",
    "C8H15N2": "BMIM",
    "H2O": "water",
}


def molecule_charges(system: System) -> Float64[Array, " molecules"]:
    """Net charge of each molecule, in the charge unit of the system."""
    return np.bincount(system.molecule_id, weights=system.charges, minlength=system.n_molecules)


def formula(atomic_numbers: Int64[Array, " atoms"]) -> str:
    """Write a molecular formula in the order of Hill: C, H, then the alphabet; the alphabet throughout without C."""
    table = GetPeriodicTable()
    counts = Counter(table.GetElementSymbol(int(z)) for z in atomic_numbers)
    first = [symbol for symbol in ("C", "H") if "C" in counts and symbol in counts]
    rest = sorted(symbol for symbol in counts if symbol not in first)
    return "".join(symbol + (str(counts[symbol]) if counts[symbol] > 1 else "") for symbol in first + rest)


def molecule_species(system: System) -> tuple[list[str], Int64[Array, " molecules"]]:
    """Name the species of every molecule.

    Works alike on atoms, beads and bead-spring chains:

    * atoms: a familiar name for its formula (:data:`FAMILIAR`), else the formula; a neutral molecule of more than 30
      atoms is a ``"polymer"``, whatever its length, and so is a charged one of more than 120;
    * beads (particles without an element): the name of their class if all beads of the molecule share one and it is a
      word (``"TFSI"``); else ``"polymer"`` for several bonded beads; else the type name of the single particle.

    Args:
        system: atoms or beads.

    Returns:
        The species' names in order of first appearance, and the index of each molecule into them.
    """
    names: list[str] = []
    index: dict[str, int] = {}
    known: dict[tuple[bool, bytes], str] = {}
    species = np.empty(system.n_molecules, dtype=np.int64)
    charges = molecule_charges(system)
    order = np.argsort(system.molecule_id, kind="stable")
    starts = np.searchsorted(system.molecule_id[order], np.arange(1, system.n_molecules))
    for molecule, members in enumerate(np.split(order, starts) if len(order) else []):
        is_neutral = abs(charges[molecule]) < NEUTRAL
        what = system.atomic_numbers if system.atomic_numbers[members].all() else system.particle_type
        key = (bool(is_neutral), bytes(str(what is system.particle_type), "ascii") + np.sort(what[members]).tobytes())
        if key not in known:
            known[key] = _name(system, members, is_neutral=bool(is_neutral))
        name = known[key]
        species[molecule] = index.setdefault(name, len(names))
        if len(names) < len(index):
            names.append(name)
    return names, species


def _name(system: System, members: Int64[Array, " members"], *, is_neutral: bool) -> str:
    """Name one molecule by the particles in it."""
    if not system.atomic_numbers[members].all():
        classes = {system.type_names[t] for t in system.particle_type[members]}
        only = next(iter(classes))
        is_word = len(classes) == 1 and not only.isdigit()
        return only if is_word or len(members) == 1 else POLYMER
    hill = formula(system.atomic_numbers[members])
    if hill in FAMILIAR:
        return FAMILIAR[hill]
    is_long = len(members) > (LARGEST_SMALL_MOLECULE if is_neutral else LARGEST_MOLECULAR_ION)
    return POLYMER if is_long else hill
