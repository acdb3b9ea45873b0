"""Opens any topology: LAMMPS data by our own reader, everything else through MDAnalysis."""

import re
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.elements import parse_elements, tell_elements
from cgsim.trajectory.frames import Topology
from cgsim.trajectory.images import bonded_molecules
from cgsim.trajectory.lammps_data import LammpsData, read_lammps_data
from cgsim.trajectory.lammps_dump import DumpSample
from cgsim.trajectory.textfile import TextFile
from cgsim.trajectory.trajectory import System, consecutive
from cgsim.typing import Array, Int64
from cgsim.units import LammpsUnits, UnitSystem

_DATA_HEADER = re.compile(rb"^\s*\d+\s+atoms\s*(#.*)?$", re.MULTILINE)
_DUMP_NAMES = (".lammpstrj", ".dump", ".lammpsdump")


def is_lammps_data(path: Path | str) -> bool:
    """Whether a file is a LAMMPS data file: its header counts atoms."""
    with TextFile(path) as file:
        return _DATA_HEADER.search(file.head()) is not None


def is_lammps_dump(path: Path | str) -> bool:
    """Whether a file is a LAMMPS text dump: its first line is an ``ITEM:``.

    Raises:
        InputError: if it is named like a dump and is none.
    """
    with TextFile(path) as file:
        beginning = file.head(64)
    if not beginning.startswith(b"ITEM:") and any(suffix in Path(path).suffixes for suffix in _DUMP_NAMES):
        first = beginning.splitlines()[0][:40].decode(errors="replace")
        raise InputError(f"{path}: line 1: expected 'ITEM: TIMESTEP' of a LAMMPS text dump, found {first!r}")
    return beginning.startswith(b"ITEM:")


def lammps_topology(
    path: Path | str, units: LammpsUnits, atom_style: str | None, elements: str | None, sample: DumpSample | None
) -> Topology:
    """Read particles and bonds from a LAMMPS data file into the units of a store.

    What the file lacks is taken from the first frame of the dump: charges (column ``q``), and elements (``element``)
    where the masses leave a doubt.

    Args:
        path: the data file.
        units: what a unit of the file is in units of the store.
        atom_style: style of the Atoms section, if the file does not say.
        elements: one symbol for each type of the file in order, ``"none"``, or None to tell them.
        sample: first frame of the dump, if the trajectory is one.

    Raises:
        InputError: if the file cannot be read, an element cannot be told, or the dump's types are others.
    """
    data = read_lammps_data(path, atom_style)
    n = len(data.ids)
    by_id = sample.by_id if sample is not None and all(len(v) == n for v in sample.by_id.values()) else {}
    _check_types(data, by_id.get("type"))
    notes = []
    if data.charges is not None:
        charges = data.charges * units.charge
    elif "q" in by_id:
        charges = np.array(by_id["q"], dtype=np.float64) * units.charge
        notes.append("charges are those of the first frame of the dump")
    else:
        charges = np.zeros(n)
        notes.append("neither data file nor dump has charges; all are zero")
    used, particle_type = np.unique(data.atom_type, return_inverse=True)
    type_names = tuple(data.type_names[i] for i in used)
    masses = data.masses * units.mass
    if units.system is UnitSystem.LJ:
        atomic_numbers = np.zeros(n, dtype=np.int64)
    elif elements is not None:
        atomic_numbers = _given_elements(elements, data, used)
    else:
        stated = by_id.get("element")
        if stated is not None and set(stated) == {"C"}:
            stated = None  # what LAMMPS writes if nobody told it the elements
        try:
            atomic_numbers = tell_elements(str(path), particle_type, type_names, masses, None, None)
        except InputError:
            if stated is None:
                raise
            atomic_numbers = tell_elements(str(path), particle_type, type_names, masses, stated, None)
    molecules = bonded_molecules(n, data.bond_index)
    if not data.bond_index.size and data.molecule is not None and data.molecule.all():
        molecules = consecutive(data.molecule)
    system = System(
        units=units.system,
        particle_type=particle_type.astype(np.int64),
        type_names=type_names,
        names=tuple(type_names[i] for i in particle_type),
        atomic_numbers=atomic_numbers,
        masses=masses,
        charges=charges,
        bond_index=data.bond_index,
        molecule_id=molecules,
    )
    return Topology(Path(path), system, data.ids, tuple(notes))


def _given_elements(elements: str, data: LammpsData, used: Int64[Array, " used"]) -> Int64[Array, " particles"]:
    """Read --elements for all types of the file, or, if fewer are given, for the types that atoms have."""
    n_given = len(elements.split(","))
    if n_given == len(data.type_names) or elements.strip().lower() == "none":
        of_type, index = parse_elements(elements, data.type_names), data.atom_type
    else:
        of_type = parse_elements(elements, tuple(data.type_names[i] for i in used))
        index = np.searchsorted(used, data.atom_type)
    numbers: Int64[Array, " particles"] = of_type[index]
    return numbers


def _check_types(data: LammpsData, found: list[str] | None) -> None:
    """Check that the dump's atoms are those of the data file, as far as numbers of types tell."""
    if found is None or not all(word.isdigit() for word in found):
        return
    differs = np.flatnonzero(np.array(found, dtype=np.int64) != data.atom_type + 1)
    if differs.size:
        i = int(differs[0])
        raise InputError(
            f"{data.path}: atom id {data.ids[i]} has type {data.atom_type[i] + 1}, but type {found[i]} in the first "
            "frame of the dump; topology and trajectory do not belong together"
        )
