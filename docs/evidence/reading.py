"""Precision of stored positions, and what MDAnalysis makes of LAMMPS dumps: python docs/evidence/reading.py."""

import tempfile
import warnings
from pathlib import Path

import numpy as np

from cgsim.trajectory.lammps_dump import read_dump
from cgsim.units import lammps_units

BOX = 30.0  # Å
ORIGIN = np.array([-3.0, 1.0, 2.0])  # Å
CELL = np.array([[30.0, 0.0, 0.0], [8.0, 28.0, 0.0], [-5.0, 6.0, 26.0]])  # Å
N_ATOMS = 200


def precision() -> None:
    """Rounding of a position along an axis, in Å, as float32 unwrapped and as float32 in the box with images."""
    print("rounding of a float32 position, Å")
    for distance in (BOX, 1e3, 1e4, 1e5):
        print(f"  unwrapped, {distance:8.0f} Å away: {np.spacing(np.float32(distance)):.1e}")
    print(f"  in a box of {BOX:.0f} Å, any distance: {np.spacing(np.float32(BOX)):.1e}")


def write_dump(path: Path, cell: np.ndarray, columns: str, fractional: np.ndarray) -> None:
    """One frame of a dump in the columns asked for; ids are out of order, as LAMMPS writes them in parallel."""
    images = np.floor(fractional).astype(int)
    inside = fractional - images
    kind, flags = columns.removesuffix("+i"), columns.endswith("+i")
    values = {"x": inside @ cell + ORIGIN, "xs": inside, "xu": fractional @ cell + ORIGIN, "xsu": fractional}[kind]
    (xy, xz, yz), lengths = (cell[1, 0], cell[2, 0], cell[2, 1]), np.diagonal(cell)
    low = ORIGIN + np.array([min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0])
    high = ORIGIN + lengths + np.array([max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0])
    bounds = np.stack([low, high, [xy, xz, yz]], axis=1)
    is_tilted = any((xy, xz, yz))
    names = [kind.replace("x", axis) for axis in "xyz"] + ["ix", "iy", "iz"] * flags
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(fractional))]
    lines.append(f"ITEM: BOX BOUNDS {'xy xz yz ' * is_tilted}pp pp pp")
    lines += [" ".join(f"{number:.12g}" for number in row[: 2 + is_tilted]) for row in bounds]
    lines.append(f"ITEM: ATOMS id type {' '.join(names)}")
    for k in np.random.default_rng(1).permutation(len(fractional)):
        numbers = [f"{number:.9g}" for number in values[k]] + [str(image) for image in images[k]] * flags
        lines.append(f"{k + 1} 1 {' '.join(numbers)}")
    path.write_text("\n".join(lines) + "\n")


def with_mdanalysis(path: Path) -> np.ndarray:
    """Unwrapped positions as MDAnalysis reads them, image flags used if there are any."""
    import MDAnalysis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"format": "LAMMPSDUMP", "unwrap_images": True}
        try:
            universe = MDAnalysis.Universe(str(path), topology_format="LAMMPSDUMP", **options)
        except ValueError:  # it wants all three image columns, and unwrapped files have none
            options["unwrap_images"] = False
            universe = MDAnalysis.Universe(str(path), topology_format="LAMMPSDUMP", **options)
        return universe.trajectory[0].positions.astype(float)


def conventions() -> None:
    """Largest error of an unwrapped position, up to a shift of all of them, read by MDAnalysis and by cgsim."""
    print("largest error of unwrapped positions read back from one frame, Å")
    print(f"  {'cell':14s} {'columns':8s} {'MDAnalysis':>11s} {'cgsim':>11s}")
    fractional = np.random.default_rng(0).uniform(-2, 3, size=(N_ATOMS, 3))
    boxes = {"orthorhombic": np.diag([30.0, 28.0, 26.0]), "triclinic": CELL}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.lammpstrj"
        for name, cell in boxes.items():
            true = fractional @ cell
            for columns in ("x+i", "xs+i", "xu", "xsu"):
                write_dump(path, cell, columns, fractional)
                frame = next(read_dump(path, np.arange(1, N_ATOMS + 1), lammps_units("real")))
                images = np.zeros((N_ATOMS, 3)) if frame.image_flags is None else frame.image_flags
                errors = []
                for found in (with_mdanalysis(path), frame.positions + images @ frame.cell):
                    difference = found - true
                    errors.append(float(np.abs(difference - difference[0]).max()))
                print(f"  {name:14s} {columns:8s} {errors[0]:11.1e} {errors[1]:11.1e}")


if __name__ == "__main__":
    precision()
    conventions()
