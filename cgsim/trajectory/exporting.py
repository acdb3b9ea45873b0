"""Stores into files that other programs read: LAMMPS, extended XYZ, and through MDAnalysis PDB, XTC, TRR and DCD."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.errors import InputError, nearest
from cgsim.trajectory.lammps_write import particle_symbols, write_lammps_data, write_lammps_dump
from cgsim.trajectory.store import TrajectoryStore
from cgsim.trajectory.trajectory import Trajectory
from cgsim.trajectory.writer import disk_errors

_DUMPS = (".lammpstrj", ".dump")
_FRAMES = (".xtc", ".trr", ".dcd")
_TOPOLOGIES = (".data", ".pdb")
_WITH_VELOCITIES = (*_DUMPS, ".trr")
FORMATS = (*_DUMPS, *_TOPOLOGIES, ".xyz", *_FRAMES)


def convert_store(path: Path | str, outputs: list[Path], frames: slice = slice(None)) -> list[str]:
    """Write a store in other formats, told by the names of the outputs.

    ``.lammpstrj``, ``.dump`` (also ``.gz``) have all frames with images, exactly; ``.xyz`` has all frames in the box;
    ``.xtc``, ``.trr``, ``.dcd`` have all frames unwrapped, so molecules are whole. ``.data`` and ``.pdb`` have the
    first frame, with bonds: what OVITO and VMD want beside the others. Velocities go into the dumps and ``.trr``.

    Args:
        path: the store.
        outputs: the files to write; each appears only once it is complete.
        frames: which frames.

    Returns:
        One line about each file.

    Raises:
        InputError: if a format is not known, no frame is chosen, or a file cannot be written.
    """
    store = TrajectoryStore(path)
    start, stop, step = frames.indices(store.n_frames)
    chosen = range(start, stop, step)
    if not len(chosen) or step < 1:
        raise InputError(f"{path}: no frame chosen of {store.n_frames}")
    plain = [_plain_suffix(output) for output in outputs]
    done = []
    for output, suffix in zip(outputs, plain, strict=True):
        with _replacing(output) as partial:
            if suffix in _DUMPS:
                write_lammps_dump(partial, _pieces(store, chosen, velocities=store.has_velocities))
            elif suffix == ".data":
                write_lammps_data(partial, store.read(slice(start, start + 1)))
            elif suffix == ".xyz":
                _write_xyz(partial, _pieces(store, chosen))
            else:
                _write_with_mdanalysis(partial, store, chosen[:1] if suffix == ".pdb" else chosen)
        n = 1 if suffix in _TOPOLOGIES else len(chosen)
        left_out = ", without velocities" if store.has_velocities and suffix not in _WITH_VELOCITIES else ""
        done.append(f"{output}: {n} frame{'s' if n > 1 else ''}{left_out}")
    return done


def _plain_suffix(output: Path) -> str:
    """Return the suffix that tells the format, without ``.gz``.

    Raises:
        InputError: if it is not known, or the format cannot be gzipped.
    """
    is_gzip = output.suffix == ".gz"
    suffix = Path(output.stem).suffix if is_gzip else output.suffix
    if suffix not in FORMATS:
        raise InputError(f"{output}: unknown format {suffix!r}{nearest(suffix, list(FORMATS))}")
    if is_gzip and suffix not in (*_DUMPS, ".data"):
        raise InputError(f"{output}: {suffix} files cannot be gzipped here")
    return suffix


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """Give a name beside the output with the same suffixes; take its place at the end, or leave nothing."""
    if not output.parent.is_dir():
        raise InputError(f"{output}: the directory {output.parent} does not exist")
    partial = output.with_name(f".{os.getpid()}.partial.{output.name}")
    try:
        with disk_errors(output):
            yield partial
            partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


def _pieces(store: TrajectoryStore, chosen: range, *, velocities: bool = False) -> Iterator[Trajectory]:
    """Read the chosen frames, a few megabytes at a time."""
    per_piece = max(1, 16 * 2**20 // (36 * max(1, store.system.n_particles)))
    for first in range(0, len(chosen), per_piece):
        part = chosen[first : first + per_piece]
        yield store.read(slice(part.start, part.stop, part.step), velocities=velocities)


def _write_xyz(path: Path, pieces: Iterator[Trajectory]) -> None:
    """Write extended XYZ (the dialect of ASE and OVITO), positions in the box."""
    with path.open("w", encoding="utf-8") as file:
        for piece in pieces:
            names = particle_symbols(piece.system)
            for k in range(piece.n_frames):
                lattice = " ".join(f"{x:.17g}" for x in piece.cell[k].ravel())
                box = f'Lattice="{lattice}" pbc="T T T"' if piece.cell[k].any() else 'pbc="F F F"'
                lines = [str(len(names)), f"{box} Properties=species:S:1:pos:R:3 Time={piece.time[k]:.17g}"]
                lines += [
                    f"{name} {x:.9g} {y:.9g} {z:.9g}"
                    for name, (x, y, z) in zip(names, piece.wrapped_positions[k].tolist(), strict=True)
                ]
                file.write("\n".join(lines) + "\n")


def _write_with_mdanalysis(path: Path, store: TrajectoryStore, chosen: range) -> None:
    """Write unwrapped frames in a format of MDAnalysis."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import MDAnalysis

        universe = _universe(store)
        n_written = 0
        options: dict[str, Any] = {"bonds": "all"} if path.suffix == ".pdb" else {}
        if len(chosen) > 1:
            options["dt"] = float(store.time[chosen[1]] - store.time[chosen[0]])
        if path.suffix == ".pdb":
            options["multiframe"] = False
        with MDAnalysis.Writer(str(path), n_atoms=store.system.n_particles, **options) as file:
            velocities = store.has_velocities and path.suffix == ".trr"
            for piece in _pieces(store, chosen, velocities=velocities):
                for k in range(piece.n_frames):
                    timestep = universe.trajectory.ts
                    if piece.velocities is not None:
                        timestep.velocities = piece.velocities[k]
                    timestep.positions = piece[k : k + 1].unwrapped_positions[0]
                    timestep.frame = n_written
                    timestep.time = float(piece.time[k])
                    timestep.dimensions = _dimensions(piece, k)
                    file.write(universe.atoms)
                    n_written += 1


def _dimensions(piece: Trajectory, frame: int) -> Any:
    """Lengths and angles of the cell, None without one."""
    from MDAnalysis.lib.mdamath import triclinic_box

    if not piece.cell[frame].any():
        return None
    angles = triclinic_box(*piece.cell[frame])[3:]
    return np.array([*np.linalg.norm(piece.cell[frame], axis=1), *angles])


def _universe(store: TrajectoryStore) -> Any:
    """Return the particles as MDAnalysis has them, one residue for each molecule."""
    import MDAnalysis

    system = store.system
    names = particle_symbols(system)
    universe = MDAnalysis.Universe.empty(
        system.n_particles,
        n_residues=system.n_molecules,
        atom_resindex=system.molecule_id,
        trajectory=True,
    )
    universe.add_TopologyAttr("names", names)
    universe.add_TopologyAttr("types", [system.type_names[kind] for kind in system.particle_type])
    universe.add_TopologyAttr(
        "elements", [name if number else "" for name, number in zip(names, system.atomic_numbers, strict=True)]
    )
    universe.add_TopologyAttr("resids", np.arange(1, system.n_molecules + 1))
    universe.add_TopologyAttr("resnames", ["MOL"] * system.n_molecules)
    universe.add_TopologyAttr("masses", system.masses)
    universe.add_TopologyAttr("charges", system.charges)
    universe.add_TopologyAttr("bonds", [(int(a), int(b)) for a, b in system.bond_index.T])
    return universe
