"""The :class:`Mapping` from atoms to beads: always the same object, whether METIS made it or a network learned it."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from cgsim.errors import InputError
from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Float64, Int64

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Mapping:
    """Linear map from atom positions to bead positions, and the beads' properties.

    Attributes:
        mapping_weights: [beads, atoms] sparse; bead position = weights @ unwrapped atom positions; rows sum to 1. With
            mass fractions as weights momentum is conserved: bead mass x bead velocity = momentum of its atoms.
        masses: [beads], sum over the atoms of a bead.
        charges: [beads], sum over the atoms of a bead.
        bond_index: [2, beads bonds], two beads are bonded if an atom bond crosses between them.
        bead_class: [beads], index into ``class_names``.
        class_names: name of each bead class, the species of its molecule: ``("polymer", "Li", "TFSI")``.
        molecule_id: [beads], molecule of each bead, numbered as the molecules of the atoms.

    Raises:
        InputError: if a bead is empty or weights do not sum to 1.
    """

    mapping_weights: sparse.csr_array
    masses: Float64[Array, " beads"]
    charges: Float64[Array, " beads"]
    bond_index: Int64[Array, "2 bonds"]
    bead_class: Int64[Array, " beads"]
    class_names: tuple[str, ...]
    molecule_id: Int64[Array, " beads"]

    def __post_init__(self) -> None:
        sums = self.mapping_weights.sum(axis=1)
        bad = np.flatnonzero(np.abs(sums - 1.0) > 1e-9)
        if bad.size:
            raise InputError(
                f"weights of bead {bad[0] + 1} sum to {sums[bad[0]]:g}, expected 1: the bead has no atoms?"
            )

    @classmethod
    def from_parts(
        cls,
        atoms: System,
        bead_of_atom: Int64[Array, " atoms"],
        class_names: tuple[str, ...],
        bead_class: Int64[Array, " beads"],
    ) -> "Mapping":
        """Make the mapping in which every atom belongs to one bead and beads sit at their centre of mass."""
        n_beads = len(bead_class)
        masses = np.bincount(bead_of_atom, weights=atoms.masses, minlength=n_beads)
        charges = np.bincount(bead_of_atom, weights=atoms.charges, minlength=n_beads)
        index = (bead_of_atom, np.arange(atoms.n_particles))
        with np.errstate(divide="ignore"):
            fractions = atoms.masses / masses[bead_of_atom]
        weights = sparse.csr_array((fractions, index), shape=(n_beads, atoms.n_particles))
        ends = np.sort(bead_of_atom[atoms.bond_index], axis=0)
        crossing = ends[:, ends[0] != ends[1]]
        molecule_id = np.zeros(n_beads, dtype=np.int64)
        molecule_id[bead_of_atom] = atoms.molecule_id
        return cls(weights, masses, charges, np.unique(crossing, axis=1), bead_class, class_names, molecule_id)

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.masses)

    @property
    def n_atoms(self) -> int:
        """Number of atoms the mapping was made for."""
        return int(self.mapping_weights.shape[1])

    @cached_property
    def bead_of_atom(self) -> Int64[Array, " atoms"]:
        """The bead in which each atom has its largest weight."""
        return np.asarray(self.mapping_weights.tocsc().argmax(axis=0), dtype=np.int64).ravel()

    def map_positions(self, unwrapped_positions: Float64[Array, "frames atoms 3"]) -> Float64[Array, "frames beads 3"]:
        """Bead positions from unwrapped atom positions, or bead velocities from those of the atoms.

        Raises:
            InputError: if the number of atoms is not the mapping's.
        """
        frames, atoms, _ = unwrapped_positions.shape
        if atoms != self.n_atoms:
            raise InputError(f"mapping is for {self.n_atoms} atoms, the trajectory has {atoms}")
        flat = unwrapped_positions.transpose(1, 0, 2).reshape(atoms, frames * 3)
        mapped = np.asarray(self.mapping_weights @ flat).reshape(self.n_beads, frames, 3)
        return np.ascontiguousarray(mapped.transpose(1, 0, 2))

    def squared_sizes(self, unwrapped_positions: Float64[Array, "frames atoms 3"]) -> Float64[Array, "frames beads"]:
        """Squared radius of gyration of the atoms of every bead about the bead, length^2, with the mapping's weights.

        With mass fractions as weights the parallel-axis theorem (Huygens and Steiner) makes that of a whole molecule
        from those of its beads: Rg^2 of the atoms = Rg^2 of the beads + sum_b m_b s_b^2 / M.

        Raises:
            InputError: if the number of atoms is not the mapping's.
        """
        beads, weights = self.map_positions(unwrapped_positions), self.mapping_weights.tocoo()
        squares = np.square(unwrapped_positions[:, weights.col] - beads[:, weights.row]).sum(axis=-1)
        index = (weights.row, np.arange(weights.nnz))
        sums = sparse.csr_array((weights.data, index), shape=(self.n_beads, weights.nnz))
        return np.ascontiguousarray((sums @ squares.T).T)

    def bead_system(self, atoms: System) -> System:
        """The beads as particles: type and name are the bead class, atomic numbers are 0."""
        return System(
            units=atoms.units,
            particle_type=self.bead_class,
            type_names=self.class_names,
            names=tuple(self.class_names[c] for c in self.bead_class),
            atomic_numbers=np.zeros(self.n_beads, dtype=np.int64),
            masses=self.masses,
            charges=self.charges,
            bond_index=self.bond_index,
            molecule_id=self.molecule_id,
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 of everything that the mapping is made of; changes when any weight does."""
        return _hash(self._payload())

    def _payload(self) -> dict[str, Any]:
        coo = self.mapping_weights.tocoo()
        return {
            "version": FORMAT_VERSION,
            "n_atoms": self.n_atoms,
            "row": coo.row.tolist(),
            "column": coo.col.tolist(),
            "weight": coo.data.tolist(),
            "masses": self.masses.tolist(),
            "charges": self.charges.tolist(),
            "bond_index": self.bond_index.tolist(),
            "bead_class": self.bead_class.tolist(),
            "class_names": list(self.class_names),
            "molecule_id": self.molecule_id.tolist(),
        }

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable form, with the hash; what a store carries as its document ``mapping``."""
        return {**self._payload(), "hash": self.hash}

    @classmethod
    def from_document(cls, document: dict[str, Any], source: str) -> "Mapping":
        """Rebuild a mapping and check its hash.

        Raises:
            InputError: if the format is newer than this program or the hash does not match.
        """
        if not {"version", "hash"} <= document.keys():
            raise InputError(f"{source}: not a mapping (JSON written by cgsim)")
        if document["version"] != FORMAT_VERSION:
            raise InputError(f"{source}: mapping format {document['version']!r}, expected {FORMAT_VERSION}")
        found = _hash({name: value for name, value in document.items() if name != "hash"})
        if found != document["hash"]:
            raise InputError(
                f"{source}: mapping hash is {found[:12]}, expected {document['hash'][:12]}: the file was changed"
            )
        shape = (len(document["masses"]), document["n_atoms"])
        return cls(
            mapping_weights=sparse.csr_array((document["weight"], (document["row"], document["column"])), shape=shape),
            masses=np.array(document["masses"], dtype=np.float64),
            charges=np.array(document["charges"], dtype=np.float64),
            bond_index=np.array(document["bond_index"], dtype=np.int64).reshape(2, -1),
            bead_class=np.array(document["bead_class"], dtype=np.int64),
            class_names=tuple(document["class_names"]),
            molecule_id=np.array(document["molecule_id"], dtype=np.int64),
        )

    def save(self, path: Path) -> None:
        """Write the mapping as JSON, atomically."""
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(json.dumps(self.to_document()))
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Mapping":
        """Read a mapping written by :meth:`save`.

        Raises:
            InputError: if the file is missing, no mapping, or was changed.
        """
        try:
            document = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except (UnicodeDecodeError, json.JSONDecodeError):
            document = None
        if not isinstance(document, dict):
            raise InputError(f"{path}: not a mapping (JSON written by cgsim)")
        return cls.from_document(document, str(path))


def _hash(payload: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
