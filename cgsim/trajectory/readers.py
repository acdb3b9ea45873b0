"""Everything that is not LAMMPS text, through MDAnalysis: topologies (tpr, psf ...) and frames (xtc, trr, dcd ...).

XTC and TRR are read with MDAnalysis' low-level readers: these stream from the first byte, write no index files beside
the trajectory, and say so when a file is cut off, which the reader classes take for its end.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.elements import parse_elements, standard_masses, tell_elements
from cgsim.trajectory.frames import Frame, Topology
from cgsim.trajectory.images import bonded_molecules
from cgsim.trajectory.textfile import existing_file
from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem

_NM = 10.0  # Å; GROMACS files are in nm and ps
_HAS_CLOCK = {"TNG", "NCDF", "NC"}  # formats whose times are in ps by definition; DCD's are in units nobody agrees on
_LAMMPS_FORMATS = {"DATA", "LAMMPSDUMP", "LAMMPS"}
_REPARTITIONED = (1.5, 4.5)  # g/mol; a hydrogen this heavy carries mass of its neighbours


def read_topology(path: Path | str, elements: str | None) -> Topology:
    """Read particles and bonds from any topology that MDAnalysis knows.

    Args:
        path: the file.
        elements: one symbol for each type in order of first appearance, ``"none"``, or None to tell them.

    Raises:
        InputError: if the file cannot be read or an element cannot be told.
    """
    path = existing_file(path)
    top = _parse(path)
    n = int(top.n_atoms)
    names = _texts(_attribute(top, "names"))
    types = _texts(_attribute(top, "types")) or names
    if types is None:
        raise InputError(f"{path}: the topology has neither types nor names of atoms")
    type_names = tuple(dict.fromkeys(types))
    index = {name: i for i, name in enumerate(type_names)}
    particle_type = np.array([index[name] for name in types], dtype=np.int64)
    given = (_attribute(top, name) for name in ("masses", "charges"))
    masses, charges = (None if values is None else _decimal(values) for values in given)
    if elements is None:
        stated = _texts(_attribute(top, "elements"))
        atomic_numbers = tell_elements(str(path), particle_type, type_names, masses, stated, names)
    else:
        atomic_numbers = parse_elements(elements, type_names)[particle_type]
    notes = []
    if masses is None:
        if not atomic_numbers.all():
            raise InputError(f"{path}: the topology has no masses, and no elements to take them from")
        masses = standard_masses()[atomic_numbers]
        notes.append("the topology has no masses; standard atomic weights are used")
    if (bad := np.flatnonzero(~(masses > 0))).size:
        raise InputError(
            f"{path}: the mass of particle {bad[0] + 1} ({types[bad[0]]}) is {masses[bad[0]]:g}, "
            "expected a positive mass"
        )
    hydrogens = masses[atomic_numbers == 1]
    if ((hydrogens > _REPARTITIONED[0]) & (hydrogens < _REPARTITIONED[1])).any():
        notes.append(f"hydrogens weigh up to {hydrogens.max():.4g} g/mol: masses are repartitioned, and kept so")
    if charges is None:
        charges = np.zeros(n)
        notes.append("the topology has no charges; all are zero")
    bonds = np.array(_attribute(top, "bonds") or [], dtype=np.int64).reshape(-1, 2).T
    bonds = np.unique(np.sort(bonds, axis=0), axis=1)
    system = System(
        units=UnitSystem.MOLECULAR,
        particle_type=particle_type,
        type_names=type_names,
        names=tuple(names or types),
        atomic_numbers=atomic_numbers,
        masses=masses,
        charges=charges,
        bond_index=bonds,
        molecule_id=bonded_molecules(n, bonds),
    )
    return Topology(path, system, np.arange(1, n + 1), tuple(notes))


def read_frames(path: Path | str, n_particles: int, *, velocities: bool = False) -> Iterator[Frame]:
    """Yield the frames of any trajectory that MDAnalysis knows, in Å and ps.

    Args:
        path: the file.
        n_particles: of every frame.
        velocities: read those that the file has too, in Å/ps.

    Raises:
        InputError: naming file and frame: unknown format, cut off, another number of particles, not finite.
    """
    path = existing_file(path)
    low_level = path.suffix.lower() in (".xtc", ".trr")
    n_frames = 0
    read = _read_xdr if low_level else _read_with_mdanalysis
    for frame in read(path, n_particles, velocities):
        for name, values in (("", frame.positions), ("v", frame.velocities)):
            if values is not None and len(bad := np.argwhere(~np.isfinite(values))):
                particle, axis = bad[0]
                raise InputError(
                    f"{frame.where}: {name}{'xyz'[axis]} of particle {particle + 1} is {values[particle, axis]}, "
                    "expected a finite number"
                )
        n_frames += 1
        yield frame
    if n_frames == 0:
        raise InputError(f"{path}: the file has no frames with positions")


def _parse(path: Path) -> Any:
    from MDAnalysis.topology.core import get_parser_for

    try:
        parser = get_parser_for(str(path))
    except ValueError as error:
        raise InputError(f"{path}: not a topology of a known format (LAMMPS data, tpr, psf, pdb, gro ...)") from error
    if _formats(parser) & _LAMMPS_FORMATS:
        raise InputError(f"{path}: expected a LAMMPS data file with a line '<number> atoms' in its header")
    with _one_line_errors(str(path)), parser(str(path)) as opened:
        return opened.parse()


def _formats(reader_or_parser: Any) -> set[str]:
    """Names of the formats that a class of MDAnalysis reads."""
    return {str(name) for name in np.atleast_1d(reader_or_parser.format)}


def _attribute(top: Any, name: str) -> Any:
    """Return the values of an attribute of a parsed topology, None if the file has none of it."""
    attribute = getattr(top, name, None)
    if attribute is None or (np.ndim(attribute.is_guessed) == 0 and attribute.is_guessed):
        return None
    return attribute.values


def _texts(values: Any) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _decimal(values: Any) -> Float64[Array, " values"]:
    """Turn single-precision numbers into the decimals they were written as: 1.00800001 becomes 1.008."""
    return np.asarray(values, dtype=np.float32).astype(str).astype(np.float64)


def _read_xdr(path: Path, n_particles: int, velocities: bool) -> Iterator[Frame]:
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile, XTCFile

    opened = XTCFile if path.suffix.lower() == ".xtc" else TRRFile
    size = path.stat().st_size
    index = n_bytes = 0
    try:
        with opened(str(path)) as file:
            _check_number(f"{path}: frame 0", int(file.n_atoms), n_particles)
            for raw in file:
                index += 1
                n_bytes = file._bytes_tell()
                if not getattr(raw, "hasx", True):
                    if velocities and raw.hasv:
                        raise InputError(
                            f"{path}: frame {index - 1} has velocities but no positions; write both at the same steps "
                            "(nstvout = nstxout)"
                        )
                    continue  # TRR may have frames of velocities or forces only
                yield Frame(
                    where=f"{path}: frame {index - 1}",
                    positions=raw.x.astype(np.float64) * _NM,
                    image_flags=None,
                    is_unwrapped=False,
                    cell=_decimal(raw.box.ravel()).reshape(3, 3) * _NM,
                    time=float(str(np.float32(raw.time))),
                    step=int(raw.step),
                    bytes_read=n_bytes,
                    velocities=raw.v.astype(np.float64) * _NM if velocities and getattr(raw, "hasv", False) else None,
                )
    except OSError as error:
        raise InputError(f"{path}: frame {index}: cut off or damaged ({_one_line(error)})") from error
    if n_bytes != size:  # cut off within the header of a frame, the low-level readers take it for the end
        raise InputError(f"{path}: frame {index}: the file is cut off, {size - n_bytes} bytes after frame {index - 1}")


def _read_with_mdanalysis(path: Path, n_particles: int, velocities: bool) -> Iterator[Frame]:
    from MDAnalysis.coordinates.core import get_reader_for
    from MDAnalysis.lib.mdamath import triclinic_vectors

    try:
        reader_class = get_reader_for(str(path))
    except ValueError as error:
        raise InputError(
            f"{path}: not a trajectory of a known format (LAMMPS dump, xtc, trr, dcd, nc, gro, pdb ...)"
        ) from error
    if _formats(reader_class) & _LAMMPS_FORMATS:
        raise InputError(f"{path}: expected a LAMMPS text dump that begins with 'ITEM: TIMESTEP'")
    size = path.stat().st_size
    if "DCD" in _formats(reader_class):
        _check_dcd(path, size)
    with _one_line_errors(f"{path}: frame 0"):
        reader = reader_class(str(path), n_atoms=n_particles)
    with reader:
        n_frames = int(reader.n_frames)
        for index in range(n_frames):  # by index: iterating takes a damaged frame for the end
            with _one_line_errors(f"{path}: frame {index}"):
                timestep = reader[index]
            _check_number(f"{path}: frame {index}", int(timestep.n_atoms), n_particles)
            dimensions = timestep.dimensions
            has_cell = dimensions is not None and bool(np.all(dimensions[:3] > 0))
            yield Frame(
                where=f"{path}: frame {index}",
                positions=timestep.positions.astype(np.float64),
                image_flags=None,
                is_unwrapped=False,
                cell=triclinic_vectors(_decimal(dimensions), dtype=np.float64) if has_cell else np.zeros((3, 3)),
                time=float(str(np.float32(timestep.time))) if _formats(reader_class) & _HAS_CLOCK else None,
                step=None,
                bytes_read=size * (index + 1) // n_frames,
                velocities=timestep.velocities.astype(np.float64) if velocities and timestep.has_velocities else None,
            )


def _check_dcd(path: Path, size: int) -> None:
    """Refuse a DCD that does not end with a whole frame, of which MDAnalysis counts the whole frames only."""
    from MDAnalysis.lib.formats.libdcd import DCDFile

    try:
        with DCDFile(str(path)) as file:
            rest = (size - file._header_size - file._firstframesize) % file._framesize
            n_frames = len(file)
    except OSError as error:
        raise InputError(f"{path}: frame 0: cut off or damaged ({_one_line(error)})") from error
    if rest:
        raise InputError(f"{path}: frame {n_frames}: the file is cut off, {rest} bytes after frame {n_frames - 1}")


@contextmanager
def _one_line_errors(where: str) -> Iterator[None]:
    """Silence the warnings of MDAnalysis and turn whatever its readers stumble over into one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        # There is a reader for each of many formats, and none documents what it raises: on a damaged file it is
        # whatever its parser stumbles over (OSError, ValueError, IndexError, struct.error ...).
        except Exception as error:
            raise InputError(f"{where}: cannot be read: {_one_line(error)}") from error


def _check_number(where: str, found: int, expected: int) -> None:
    if found != expected:
        raise InputError(f"{where}: {found} particles, expected {expected} as in the topology")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
