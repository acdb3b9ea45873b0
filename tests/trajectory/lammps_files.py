"""Writes LAMMPS files in every dialect, for the tests; straight from the manual and independent of the reader."""

import gzip

import numpy as np

from cgsim.trajectory import System

CONVENTIONS = {
    "x+images": ("x", "y", "z", "ix", "iy", "iz"),
    "xs+images": ("xs", "ys", "zs", "ix", "iy", "iz"),
    "xu": ("xu", "yu", "zu"),
    "xsu": ("xsu", "ysu", "zsu"),
    "x": ("x", "y", "z"),
    "xs": ("xs", "ys", "zs"),
}


def open_text(path, mode="wt"):
    return gzip.open(path, mode) if path.suffix == ".gz" else path.open(mode)


def box_lines(cell, origin, *, old=False):
    """BOX BOUNDS of a restricted triclinic or orthogonal cell (Howto triclinic: bounds of the enclosing box)."""
    low, high = origin, origin + np.diagonal(cell)
    flags = "" if old else " pp pp pp"
    if not (cell - np.diag(np.diagonal(cell))).any():
        return [f"ITEM: BOX BOUNDS{flags}"] + [f"{a:.17g} {b:.17g}" for a, b in zip(low, high, strict=True)]
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    bounds = [
        (low[0] + min(0, xy, xz, xy + xz), high[0] + max(0, xy, xz, xy + xz), xy),
        (low[1] + min(0, yz), high[1] + max(0, yz), xz),
        (low[2], high[2], yz),
    ]
    return [f"ITEM: BOX BOUNDS xy xz yz{flags}"] + [" ".join(f"{v:.17g}" for v in row) for row in bounds]


def columns_of(convention, unwrapped, cell, origin):
    """Numbers of a convention, for positions whose cell begins at the origin of coordinates."""
    fractional = unwrapped @ np.linalg.inv(cell)
    images = np.floor(fractional)
    wrapped = unwrapped - images @ cell
    values = {
        "x": wrapped + origin,
        "xs": fractional - images,
        "xu": unwrapped + origin,
        "xsu": fractional,
        "ix": images,
    }
    names = CONVENTIONS[convention]
    return {name: values[names[i // 3 * 3]][:, i % 3] for i, name in enumerate(names)}


def write_dump(
    path,
    unwrapped,
    cells,
    *,
    convention="x+images",
    origin=(0.0, 0.0, 0.0),
    steps=None,
    ids=None,
    seed=None,
    extra=None,
    items=(),
):
    """Write a dump; ``seed`` shuffles lines in every frame and the order of columns; ``items`` are added to headers."""
    n = unwrapped.shape[1]
    ids = np.arange(1, n + 1) if ids is None else np.asarray(ids)
    steps = 1000 * np.arange(len(unwrapped)) if steps is None else steps
    rng = np.random.default_rng(seed)
    with open_text(path) as file:
        for step, positions, cell in zip(steps, unwrapped, cells, strict=True):
            table = {"id": ids, **(extra or {}), **columns_of(convention, positions, cell, np.asarray(origin))}
            names = list(table)
            lines = np.arange(n)
            if seed is not None:
                rng.shuffle(names)
                rng.shuffle(lines)
            head = [*items, "ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", str(n)]
            head += [*box_lines(cell, np.asarray(origin)), f"ITEM: ATOMS {' '.join(names)}"]
            body = [" ".join(word(table[name][i]) for name in names) + " " for i in lines]
            file.write("\n".join(head + body) + "\n")


def word(value):
    if isinstance(value, str):
        return value
    return f"{value:.17g}" if value != int(value) else str(int(value))


def write_data(
    path, system: System, positions, cell, *, origin=(0.0, 0.0, 0.0), style="full", remark=True, images=None, ids=None
):
    """Write a data file with comments, blank lines and a section that does not matter, in no order of ids."""
    n = system.n_particles
    ids = np.arange(1, n + 1) if ids is None else np.asarray(ids)
    masses = {kind: system.masses[system.particle_type == kind][0] for kind in range(len(system.type_names))}
    low, high = np.asarray(origin), np.asarray(origin) + np.diagonal(cell)
    lines = ["made for a test", "", f"{n} atoms # all of them", f"{system.bond_index.shape[1]} bonds"]
    lines += [f"{len(masses)}  atom types", "1 bond types", ""]
    lines += [f"{low[i]:.17g} {high[i]:.17g} {a}lo {a}hi" for i, a in enumerate("xyz")]
    if (cell - np.diag(np.diagonal(cell))).any():
        lines += [f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz"]
    lines += ["", "Masses", "", *(f"{kind + 1} {mass:.10g}" for kind, mass in masses.items())]
    lines += ["", "Pair Coeffs # lj/cut", "", "1 0.1 3.0", "", f"Atoms{f' # {style}' if remark else ''}", ""]
    for i in np.random.default_rng(0).permutation(n):
        fields = [ids[i]]
        if style in ("full", "molecular", "bond", "angle"):
            fields.append(system.molecule_id[i] + 1)
        fields.append(system.particle_type[i] + 1)
        if style in ("full", "charge"):
            fields.append(f"{system.charges[i]:.17g}")
        fields += [f"{x:.17g}" for x in positions[i] + low]
        if images is not None:
            fields += list(images[i])
        lines.append(" ".join(str(field) for field in fields))
    if system.bond_index.size:
        a, b = ids[system.bond_index]
        lines += ["", "Bonds", "", *(f"{k + 1} 1 {j} {i}" for k, (i, j) in enumerate(zip(a, b, strict=True)))]
    with open_text(path) as file:
        file.write("\n".join(lines) + "\n")
