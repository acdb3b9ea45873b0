"""A run folder as the demo leaves it, made of random walks in a second: for the tests of the report."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgsim.beads import BeadStore
from cgsim.benchmark.report import write_report
from cgsim.geometry import wrap
from cgsim.mapping import MappingSettings, partition
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import TrajectoryStore, write_store
from cgsim.units import UnitSystem

N_CHAINS, LENGTH, N_SALT = 3, 36, 4
CELL = np.diag([30.0, 31.0, 32.0])
MAPPING = MappingSettings(atoms_per_bead=6)
ROLLOUT = {
    "model": "small",
    "start": "one.h5",
    "start_time": 0.0,
    "replica": 0,
    "settings": {"time": 150.0, "replicas": 1, "seed": 0, "begin": 0.0},
    "lag_time": 2.0,
    "seconds": 10.0,
    "time_per_day": 1.3e6,
    "n_side_by_side": 2,
    "verdict": "healthy",
    "message": "",
    "overlap_steps": 1,
    "torn_bond_steps": 0,
}
SECTIONS = (
    *("summary", "data", "mapping", "training", "rg", "rdf", "msd", "transport", "results"),
    *("health", "speed", "settings", "versions", "reproduce"),
)


def electrolyte() -> System:
    """Chains of C-C-O without hydrogens, lithium and chloride."""
    n = N_CHAINS * LENGTH
    first = np.arange(n).reshape(N_CHAINS, LENGTH)
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.concatenate([np.tile([0, 0, 1], n // 3), np.repeat([2, 3], N_SALT)]),
        type_names=("c3", "os", "Li", "Cl"),
        names=tuple(np.tile(["C", "C", "O"], n // 3)) + ("Li",) * N_SALT + ("Cl",) * N_SALT,
        atomic_numbers=np.concatenate([np.tile([6, 6, 8], n // 3), np.repeat([3, 17], N_SALT)]),
        masses=np.concatenate([np.tile([14.0, 14.0, 16.0], n // 3), np.repeat([6.94, 35.45], N_SALT)]),
        charges=np.concatenate([np.zeros(n), np.repeat([1.0, -1.0], N_SALT)]),
        bond_index=np.stack([first[:, :-1].ravel(), first[:, 1:].ravel()]),
        molecule_id=np.concatenate([np.repeat(np.arange(N_CHAINS), LENGTH), N_CHAINS + np.arange(2 * N_SALT)]),
    )


def walk(n_frames: int, seed: int) -> np.ndarray:
    """Unwrapped positions [frames, atoms, 3] of ideal chains that forget their shape, and of ions, all diffusing."""
    rng = np.random.default_rng(seed)
    bonds = np.empty((n_frames, N_CHAINS, LENGTH - 1, 3))
    bonds[0] = rng.normal(0.0, 0.8, bonds[0].shape)
    for t in range(1, n_frames):
        bonds[t] = 0.8 * bonds[t - 1] + 0.6 * rng.normal(0.0, 0.8, bonds[0].shape)
    starts = rng.uniform(0.0, 30.0, (1, N_CHAINS, 1, 3)) + np.cumsum(rng.normal(0, 0.3, (n_frames, N_CHAINS, 1, 3)), 0)
    chains = starts + np.concatenate([np.zeros((n_frames, N_CHAINS, 1, 3)), np.cumsum(bonds, axis=2)], axis=2)
    ions = rng.uniform(0, 30, (1, 2 * N_SALT, 3)) + np.cumsum(rng.normal(0, 0.5, (n_frames, 2 * N_SALT, 3)), axis=0)
    return np.concatenate([chains.reshape(n_frames, -1, 3), ions], axis=1)


def trajectory(system: System, unwrapped: np.ndarray, step: float) -> Trajectory:
    """Wrap positions into a trajectory."""
    cells = np.broadcast_to(CELL, (len(unwrapped), 3, 3)).copy()
    wrapped, images = wrap(torch.from_numpy(unwrapped), torch.from_numpy(cells))
    time = step * np.arange(len(unwrapped), dtype=np.float64)
    return Trajectory(system, wrapped.float().numpy(), images.numpy(), cells, time)


def write_md(path: Path, n_frames: int = 120, seed: int = 0) -> None:
    """A store of atoms."""
    write_store(path, trajectory(electrolyte(), walk(n_frames, seed), 1.0))


def write_rollout(path: Path, n_frames: int = 80, seed: int = 1, **document: Any) -> None:
    """A store of beads as production runs write it."""
    atoms = electrolyte()
    mapping = partition(atoms, MAPPING)
    beads = trajectory(mapping.bead_system(atoms), mapping.map_positions(walk(n_frames, seed)), 2.0)
    documents = {"mapping": mapping.to_document(), "provenance": {}, "rollout": {**ROLLOUT, **document}}
    write_store(path, beads, atoms=atoms, documents=documents)


def write_rollout_of_md(md: Path, path: Path, *, stretch: float = 1.0) -> None:
    """A rollout that is the MD itself, seen as beads; stretched, if wanted, about the origin."""
    store = TrajectoryStore(md)
    mapping = partition(store.system, MAPPING)
    beads = BeadStore(store, store.system, mapping, is_mapped=False)
    seen = beads.read()
    moved = trajectory(seen.system, stretch * seen.unwrapped_positions, 1.0) if stretch != 1.0 else seen
    documents = {"mapping": mapping.to_document(), "provenance": {}, "rollout": ROLLOUT}
    write_store(path, moved, atoms=store.system, documents=documents)


def write_run(folder: Path) -> Path:
    """A whole run of one system, without a model."""
    (folder / "rollouts").mkdir(parents=True)
    write_md(folder / "one.h5")
    write_rollout(folder / "rollouts/one-r0.h5")
    broken = {"verdict": "torn bond", "message": "step 39: bond 1-2 is <9> Angstrom long"}
    write_rollout(folder / "rollouts/one-r1.h5", 40, 2, **broken)
    (folder / "metrics.csv").write_text(
        "epoch,step,train/loss,validation/loss\n0,9,3.5,\n0,9,,4.0\n1,19,2.5,\n1,19,,3.0\n"
    )
    manifest = {
        "title": "A <small> run",
        "task": "electrolyte",
        "md": {"one": "one.h5"},
        "rollouts": {"one": ["rollouts/one-r0.h5", "rollouts/one-r1.h5"]},
        "short_md": {"one": "one.h5", "end": 40.0},
        "md_time_per_day": {"engine": "GROMACS", "machine": "one core", "value": 0.13, "unit": "us/day"},
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """A page taken apart; raises if tags do not match.

    Attributes:
        attributes: of all tags, as (tag, name, value).
        sections: identifiers of sections.
        tables: cells of each table, row by row.
        blocks: preformatted texts.
        text: all text outside of style sheets.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.sections: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.blocks: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self.sections.append(dict(attrs)["id"] or "")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag == "pre":
            self.blocks.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        last = self._open.pop()
        assert last == tag, f"</{tag}> closes <{last}>"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data
        if self._open and self._open[-1] in {"td", "th"}:
            self.tables[-1][-1][-1] += data
        if "pre" in self._open:
            self.blocks[-1] += data

    def table(self, first_heading: str) -> list[dict[str, str]]:
        """Rows of the table whose first heading this is, by heading; of two equal headings the second ends in 2."""
        head, *rows = next(t for t in self.tables if t[0][0] == first_heading)
        names = [name if name not in head[:k] else f"{name} 2" for k, name in enumerate(head)]
        return [dict(zip(names, row, strict=True)) for row in rows]


def report_of(folder: Path) -> Page:
    """The page about one folder, written beside it."""
    output = folder.parent / f"{folder.name}.html"
    write_report([folder], output)
    return Page(output.read_text(encoding="utf-8"))
