"""What the shipped trajectories say about the choices of the model: python docs/evidence/data.py."""

import tempfile
from pathlib import Path

import networkx as nx
import numpy as np
import pymetis

from cgsim.beads import open_beads
from cgsim.mapping import MappingSettings
from cgsim.models.embedding import Vocabulary
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.import_settings import ImportSettings
from cgsim.trajectory.importing import import_trajectory
from cgsim.trajectory.store import TrajectoryStore

DATA = Path(__file__).parents[2] / "data"
CHAINS = sorted((DATA / "chains-100" / "train").glob("*.h5"))


def main() -> None:
    """Import both electrolytes into a temporary folder and print everything."""
    with tempfile.TemporaryDirectory() as folder:
        peo, htp = Path(folder) / "peo.h5", Path(folder) / "htp.h5"
        peo_files, htp_files = DATA / "peo_litfsi_450K", DATA / "htp_md"
        import_trajectory(peo_files / "prod.tpr", [peo_files / "prod.xtc"], peo)
        settings = ImportSettings(units="real", timestep=2.0)
        import_trajectory(htp_files / "relaxed.lmp.gz", [htp_files / "traj.lammpstrj.gz"], htp, settings)
        systems = {"peo_litfsi_450K": TrajectoryStore(peo).system, "htp_md": TrajectoryStore(htp).system}
        atom_types(systems)
        contiguity(systems)
        beads = open_beads(peo, MappingSettings())
        moving = {"peo_litfsi_450K": [beads.read()]}
        moving["chains-100"] = [open_beads(path, MappingSettings(atoms_per_bead=10)).read() for path in CHAINS]
        neighbours(moving)
        increments(moving)
        drift(beads.read())
        balance(beads.read())


def atom_types(systems: dict[str, System]) -> None:
    """Names of the atom types of the force field against element and number of bonds."""
    own = [set(system.type_names) for system in systems.values()]
    ours = [set(Vocabulary.of([system]).atom_types) for system in systems.values()]
    print("atom types: first system, second system, in both")
    print(f"  of the force field          {len(own[0])}, {len(own[1])}, {len(own[0] & own[1])}")
    print(f"  element and number of bonds {len(ours[0])}, {len(ours[1])}, {len(ours[0] & ours[1])}")


def contiguity(systems: dict[str, System]) -> None:
    """Parts that METIS leaves in pieces or empty, with and without its option for contiguous parts."""
    print("METIS parts that are in pieces or empty, of all parts, over 2 to 12 atoms per bead")
    for name, system in systems.items():
        counts = {False: [0, 0], True: [0, 0]}
        for molecule in np.flatnonzero(np.bincount(system.molecule_id) > 30):
            one = system.select(np.flatnonzero(system.molecule_id == molecule))
            graph = nx.Graph([(int(i), int(j)) for i, j in one.bond_index.T])
            adjacency = [sorted(graph[atom]) for atom in range(one.n_particles)]
            for n_parts in {round(one.n_particles / size) for size in range(2, 13)}:
                for contiguous, count in counts.items():
                    options = pymetis.Options(contig=contiguous)
                    _, label = pymetis.part_graph(n_parts, adjacency, recursive=False, options=options)
                    parts = [np.flatnonzero(np.array(label) == k) for k in range(n_parts)]
                    count[0] += sum(not len(p) or not nx.is_connected(graph.subgraph(p.tolist())) for p in parts)
                    count[1] += n_parts
        print(f"  {name}: {counts[False][0]} of {counts[False][1]}, with contig {counts[True][0]}")


def neighbours(moving: dict[str, list[Trajectory]]) -> None:
    """Correlation of the displacements of bonded beads over one lag."""
    print("correlation of the displacements of bonded beads")
    for name, runs in moving.items():
        i, j = (np.concatenate([run.system.bond_index[k] for run in runs[:1]]) for k in (0, 1))
        for stride in (1, 2, 4, 10, 40):
            both, square = 0.0, 0.0
            for run in runs:
                i, j = run.system.bond_index
                step = _steps(run, stride)[::stride]
                both += float((step[:, i] * step[:, j]).sum())
                square += 0.5 * float((step[:, i] ** 2 + step[:, j] ** 2).sum())
            print(f"  {name}, {_lag(runs[0], stride):>8s}: {both / square:.2f}")


def increments(moving: dict[str, list[Trajectory]]) -> None:
    """Correlation of a bead's displacement with the one before, and what that makes of the acceleration."""
    print("displacement over one lag against the one before: correlation, and variance of acceleration / displacement")
    for name, runs in moving.items():
        for stride in (1, 10) if name.startswith("peo") else (1, 2):
            both, square, change = 0.0, 0.0, 0.0
            for run in runs:
                step = _steps(run, stride)
                before, after = step[:-stride], step[stride:]
                both += float((before * after).sum())
                square += 0.5 * float((before**2 + after**2).sum())
                change += float(((after - before) ** 2).sum())
            print(f"  {name}, {_lag(runs[0], stride):>8s}: {both / square:+.2f}, {change / square:.2f}")


def drift(run: Trajectory) -> None:
    """What the centre of mass of the box does if beads draw independently, as a share of the true motion of Li."""
    print("mean squared displacement of the box if every bead drew alone, relative to that of Li, after 600 ps")
    masses = run.system.masses / run.system.masses.sum()
    lithium = run.system.particle_type == run.system.type_names.index("Li")
    for stride in (1, 10):
        step = _steps(run, stride)
        of_box = float((masses**2) @ (step**2).mean(axis=(0, 2)))
        far = (_steps(run, 400)[:, lithium] ** 2).mean()
        print(f"  lag {_lag(run, stride):>6s}: {of_box * 400 / stride / far:.2f}")


def balance(run: Trajectory) -> None:
    """Beads of each class, and its share of the loss with and without balance."""
    counts = np.bincount(run.system.particle_type)
    print("share of each class in the loss: balance 0, 0.5, 1")
    for name, *shares in zip(
        run.system.type_names, *(counts ** (1 - b) / (counts ** (1 - b)).sum() for b in (0, 0.5, 1)), strict=True
    ):
        print(f"  {name:8s} {' '.join(f'{share:.2f}' for share in shares)}")


def _steps(run: Trajectory, stride: int) -> np.ndarray:
    """Displacements over so many frames, drift of the box removed, [frames, beads, 3]."""
    positions = run.unwrapped_positions
    step = positions[stride:] - positions[:-stride]
    if run.is_periodic:
        step = step - np.average(step, axis=1, weights=run.system.masses)[:, None]
    return step


def _lag(run: Trajectory, stride: int) -> str:
    return f"{(run.time[stride] - run.time[0]):g} {run.system.units.time}"


if __name__ == "__main__":
    main()
