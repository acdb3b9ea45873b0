"""What the steps of molecules from frame to frame say about their images: found ones, and those that a file claims.

Steps are those of the centres of molecules in fractional coordinates, so a lattice vector is one.
"""

import numpy as np
from scipy import stats

from cgsim.errors import InputError
from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Float64, Int64

UNSEEN_STEP = (
    0.55  # of a cell: a shorter one folds onto what is refused at once (LARGEST_STEP), a longer one looks short
)
MOST_UNSEEN = 0.03  # expected number of those
NEAR = 0.25  # of a whole lattice vector
FEWEST_JUMPS = 6  # steps near a whole lattice vector that are no accident, if twice as many as lie between
FEWEST_CROSSINGS = 12  # steps beyond half a cell after each of which free motion leaves the cell every other time
ONE_CELL = 1.1  # what wrapped centres reach over: codes wrap them now and then only, so they lie a little beyond faces


class FoldedSteps:
    """Steps whose images were found by folding them into half a cell: right only if hardly any was longer.

    Steps of one kind of molecule along an axis are taken as Gaussian. A new one exceeds a length by Student's law for
    the root mean square found (Gelman et al., *Bayesian Data Analysis*, sec. 3.2), so that few steps prove little. Its
    degrees of freedom are the steps along all axes, and the scale is no smaller than that of all axes together.

    Args:
        system: the particles.
        molecule: [particles], the molecule of each.
    """

    def __init__(self, system: System, molecule: Int64[Array, " particles"]) -> None:
        self._system = system
        self._first, self._kind = _kinds(system, molecule)
        self._sums = np.zeros((self._kind.max(initial=-1) + 1, 3))
        self._n = 0

    def add(self, where: str, steps: Float64[Array, "molecules 3"]) -> None:
        """Take account of the folded steps to one more frame, and check all of them now and then.

        Raises:
            InputError: as :meth:`check` does.
        """
        for axis in range(3):
            self._sums[:, axis] += np.bincount(self._kind, weights=steps[:, axis] ** 2, minlength=len(self._sums))
        self._n += 1
        if _is_time(self._n):
            self.check(where)

    def check(self, where: str) -> None:
        """Check all steps so far.

        Raises:
            InputError: if more than :data:`MOST_UNSEEN` steps are expected to have been so long that they look short.
        """
        if not self._n:
            return
        counts = self._n * np.bincount(self._kind, minlength=len(self._sums))[:, None]
        mean = self._sums / counts
        scale = np.sqrt(np.maximum(mean, mean.mean(axis=1, keepdims=True)))
        with np.errstate(divide="ignore"):
            unseen = counts * 2.0 * stats.t.sf(UNSEEN_STEP / scale, 3 * counts)
        if unseen.sum() > MOST_UNSEEN:
            kind, axis = np.unravel_index(int(unseen.argmax()), unseen.shape)
            particle = int(self._first[self._kind == kind][0])
            raise InputError(
                f"{where}: molecules like that of particle {particle + 1} ({self._system.names[particle]}) move by "
                f"{scale[kind, axis]:.2f} of the cell (rms) along {'abc'[axis]} from frame to frame, so of all "
                f"{3 * self._n * len(self._kind)} steps some {unseen.sum():.2g} went beyond half of it unseen (at most "
                f"{MOST_UNSEEN:g} allowed); save more often, or save image flags (ix iy iz) or unwrapped coordinates"
            )


class GivenSteps:
    """Steps of positions that a file, or the user, says are unwrapped.

    Those of wrapped positions are short, or short but for a whole lattice vector, with next to nothing between: motion
    of one kind around a common drift has more steps between than there. And their molecules never leave the cell,
    although they step across more than half of it.

    Args:
        system: the particles.
        molecule: [particles], the molecule of each.
    """

    def __init__(self, system: System, molecule: Int64[Array, " particles"]) -> None:
        self._system = system
        self._first = np.unique(molecule, return_index=True)[1]
        self._previous: Float64[Array, "molecules 3"] | None = None
        self._low, self._high = np.full(3, np.inf), np.full(3, -np.inf)
        self._stays, self._between, self._jumps, self._crossings, self._n = 0, 0, 0, 0, 0
        self._example = ""

    def add(self, where: str, centres: Float64[Array, "molecules 3"], cell: Float64[Array, "3 3"]) -> None:
        """Take account of one more frame, and check all steps now and then.

        Args:
            where: file and frame.
            centres: fractional.
            cell: rows are lattice vectors.

        Raises:
            InputError: as :meth:`check` does.
        """
        previous, self._previous = self._previous, centres
        self._low, self._high = np.minimum(self._low, centres.min(axis=0)), np.maximum(self._high, centres.max(axis=0))
        if previous is None:
            return
        steps = centres - previous
        own = steps - np.median(steps, axis=0) if len(steps) > 2 else steps  # a drift of the whole box is no jump
        whole = np.round(own)
        is_between = np.abs(own - whole) > NEAR
        is_jump = ~is_between & (whole != 0)
        self._between += int(is_between.sum())
        self._jumps += int(is_jump.sum())
        self._stays += int((~is_between & (whole == 0)).sum())
        is_crossing = np.abs(own) > 0.5
        self._crossings += int(is_crossing.sum())
        if not self._example and is_crossing.any():
            molecule, axis = np.argwhere(is_jump if is_jump.any() else is_crossing)[0].tolist()
            particle, length = int(self._first[molecule]), float(np.linalg.norm(cell[axis]))
            self._example = (
                f"{where}: particle {particle + 1} ({self._system.names[particle]}) moved by "
                f"{steps[molecule, axis] * length:.4g} {self._system.units.length} along {'abc'[axis]} since the frame "
                f"before, of a cell of {length:.4g}"
            )
        self._n += 1
        if _is_time(self._n):
            self.check()

    def check(self) -> None:
        """Check all steps so far.

        Raises:
            InputError: if they are those of wrapped positions, naming a frame and particle.
        """
        if FEWEST_JUMPS <= self._jumps <= self._stays and self._jumps >= 2 * self._between:
            why = f"{self._jumps} steps are near a whole cell and only {self._between} between that and none"
        elif self._crossings >= FEWEST_CROSSINGS and (self._high - self._low < ONE_CELL).all():
            why = f"{self._crossings} steps are beyond half the cell and yet nothing ever left it"
        else:
            return
        raise InputError(
            f"{self._example}: {why}, so positions are wrapped and the images given wrong, expected unwrapped ones; "
            "--images bonds finds images by bonds and short steps"
        )


def _is_time(n: int) -> bool:
    """Whether it is time to check again: at powers of two, so that a hopeless import ends early."""
    return n >= 16 and n & (n - 1) == 0


def _kinds(
    system: System, molecule: Int64[Array, " particles"]
) -> tuple[Int64[Array, " molecules"], Int64[Array, " molecules"]]:
    """First particle and kind of every molecule: those alike in the types of their particles and, to 2, in size."""
    order = np.argsort(molecule, kind="stable")
    starts = np.unique(molecule[order], return_index=True)[1]
    known: dict[tuple[int, bytes], int] = {}
    kinds = [
        known.setdefault((len(own).bit_length(), np.unique(system.particle_type[own]).tobytes()), len(known))
        for own in (np.split(order, starts[1:]) if len(order) else [])
    ]
    return order[starts], np.array(kinds, dtype=np.int64)
