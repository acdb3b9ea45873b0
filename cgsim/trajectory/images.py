"""Periodic images: made from bonds and from frame to frame where a file has none, checked where it has them.

All of it happens in fractional coordinates, where a lattice vector is one, so any triclinic cell is treated alike.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from cgsim.errors import InputError
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.steps import FoldedSteps, GivenSteps
from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Float64, Int32, Int64

LARGEST_STEP = 0.45  # of a cell: at half a cell the image is undefined; what comes this close may have gone beyond


def bonded_molecules(n_particles: int, bond_index: Int64[Array, "2 bonds"]) -> Int64[Array, " particles"]:
    """Number the connected components of the bonds, in order of their first particle."""
    graph = coo_array((np.ones(bond_index.shape[1]), tuple(bond_index)), shape=(n_particles, n_particles))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, dtype=np.int64)  # scipy labels components in the order in which it meets them


class ImageFinder:
    """Finds the image of every particle, frame after frame.

    Molecules are made whole along a spanning tree of their bonds; whole molecules are followed from frame to frame by
    the minimum image of the step of their centre (the mean of their particles, which moves less than any of them).

    Args:
        system: the particles and bonds.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._molecule = bonded_molecules(system.n_particles, system.bond_index)
        self._size = np.bincount(self._molecule)
        self._parent = _spanning_forest(self._molecule, system.bond_index)
        self._ancestors = _doubled(self._parent)
        self._centre: Float64[Array, "molecules 3"] | None = None
        self._folded, self._given = FoldedSteps(system, self._molecule), GivenSteps(system, self._molecule)
        self._where = ""

    def from_bonds(self, frame: Frame) -> Int32[Array, "particles 3"]:
        """Return what to add to the positions of the next frame, from the bonds and the frame before.

        In the first frame the first particle of every molecule stays where it is.

        Raises:
            InputError: if a bond is too long, a molecule is bonded to its own image, a molecule moved by nearly half a
                cell since the frame before, or steps are so long that some will have gone beyond.
        """
        fractional = frame.positions @ np.linalg.inv(frame.cell)
        images = -np.round(fractional - fractional[self._parent])
        for ancestor in self._ancestors:
            images = images + images[ancestor]
        self._check_bonds(frame, fractional, images)
        centre = self._centres(fractional + images)
        self._where = frame.where
        if self._centre is not None:
            shift = -np.round(centre - self._centre)
            steps = centre + shift - self._centre
            self._check_step(frame, steps)
            self._folded.add(frame.where, steps)
            images += shift[self._molecule]
            centre = centre + shift
        self._centre = centre
        flags: Int32[Array, "particles 3"] = images.astype(np.int32)
        return flags

    def check(self, frame: Frame, images: Int32[Array, "particles 3"]) -> None:
        """Check images that came with the file: bonds are shorter than half the cell, steps not those of wrapped ones.

        Raises:
            InputError: naming the frame and the bond or particle.
        """
        a, b = self._system.bond_index
        fractional = frame.positions @ np.linalg.inv(frame.cell)
        spans = (fractional[b] - fractional[a]) + (images[b] - images[a])
        bad = np.argwhere(np.abs(spans) >= 0.5)
        if len(bad):
            bond, axis = bad[0].tolist()
            raise InputError(
                f"{frame.where}: {self._bond(bond)} spans {abs(spans[bond, axis]):.2f} of the cell along {'abc'[axis]} "
                "with the images in the file, expected less than half; if they are wrong, --images bonds rebuilds them"
            )
        self._given.add(frame.where, self._centres(fractional + images), frame.cell)

    def check_steps(self) -> None:
        """Check the steps of all frames together, after the last.

        Raises:
            InputError: if images that were found are doubtful, or those given are wrong.
        """
        self._folded.check(self._where)
        self._given.check()

    def _centres(self, whole: Float64[Array, "particles 3"]) -> Float64[Array, "molecules 3"]:
        sums = np.stack([np.bincount(self._molecule, weights=column) for column in whole.T], axis=1)
        centres: Float64[Array, "molecules 3"] = sums / self._size[:, None]
        return centres

    def _check_bonds(
        self, frame: Frame, fractional: Float64[Array, "particles 3"], images: Float64[Array, "particles 3"]
    ) -> None:
        a, b = self._system.bond_index
        spans = fractional[b] - fractional[a]
        nearest_image = spans - np.round(spans)
        bad = np.argwhere(np.abs(nearest_image) > LARGEST_STEP)
        if len(bad):
            bond, axis = bad[0].tolist()
            raise InputError(
                f"{frame.where}: {self._bond(bond)} spans {abs(nearest_image[bond, axis]):.2f} of the cell along "
                f"{'abc'[axis]}, too near to half of it to make the molecule whole; is the cell right, and does the "
                "topology belong to this trajectory?"
            )
        bad = np.argwhere(np.round(spans) + (images[b] - images[a]) != 0)
        if len(bad):
            bond, axis = bad[0].tolist()
            raise InputError(
                f"{frame.where}: the molecule of {self._bond(bond)} is bonded to its own periodic image along "
                f"{'abc'[axis]}: it has no size of its own, expected finite molecules"
            )

    def _check_step(self, frame: Frame, steps: Float64[Array, "molecules 3"]) -> None:
        bad = np.argwhere(np.abs(steps) > LARGEST_STEP)
        if len(bad):
            molecule, axis = bad[0].tolist()
            particle = int(np.flatnonzero(self._molecule == molecule)[0])
            length = float(np.linalg.norm(frame.cell[axis]))
            unit = self._system.units.length
            raise InputError(
                f"{frame.where}: the molecule of particle {particle + 1} ({self._system.names[particle]}) moved by "
                f"{abs(steps[molecule, axis]) * length:.3g} {unit} along {'abc'[axis]} since the frame before, too "
                f"near to half the cell ({length / 2:.3g}) to tell its image; save more often, or save image flags "
                "(ix iy iz) or unwrapped coordinates"
            )

    def _bond(self, bond: int) -> str:
        a, b = self._system.bond_index[:, bond]
        return f"bond {a + 1}-{b + 1} ({self._system.names[a]}-{self._system.names[b]})"


def _spanning_forest(
    molecule: Int64[Array, " particles"], bonds: Int64[Array, "2 bonds"]
) -> Int64[Array, " particles"]:
    """Return the parent of every particle in a breadth-first tree of its molecule; roots are their own parent."""
    n = len(molecule)
    roots = np.unique(molecule, return_index=True)[1]
    ends = np.hstack([bonds, np.stack([np.full_like(roots, n), roots])])  # one more node, above all roots
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n + 1, n + 1)).tocsr()
    _, parent = breadth_first_order(graph, n, directed=False, return_predecessors=True)
    tree = np.asarray(parent[:n], dtype=np.int64)
    tree[roots] = roots
    return tree


def _doubled(parent: Int64[Array, " particles"]) -> list[Int64[Array, " particles"]]:
    """Return the ancestors 1, 2, 4, 8 ... generations up, so that sums along a tree take its depth's logarithm."""
    ancestors = []
    while (parent[parent] != parent).any():
        ancestors.append(parent)
        parent = parent[parent]
    return ancestors
