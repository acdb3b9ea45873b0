"""Hops: when an ion changes what coordinates it, and when a particle leaves its cage."""

from dataclasses import dataclass

import numpy as np

from cgsim.observables.coordination import ContactRecord
from cgsim.observables.positive import CountEstimate, ShareEstimate
from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Float64, Int64

ENOUGH_IONS = 8  # from here on, the scatter over ions is known well enough to enlarge errors


@dataclass(frozen=True)
class Hops:
    """Hop events of the ions of one kind.

    Attributes:
        within: [ions], hops to other sites of the same molecule.
        between: [ions], hops to another molecule.
        n_frames: number of frames looked at.
    """

    within: Int64[Array, " ions"]
    between: Int64[Array, " ions"]
    n_frames: int

    @property
    def rate(self) -> CountEstimate:
        """Hops of one ion per frame, with an error as in :func:`event_rate`."""
        return event_rate(self.within + self.between, self.n_frames - 1)

    @property
    def share_between(self) -> Estimate:
        """Share of hops that lead to another molecule; nan without any hop.

        Hops of one ion may be more alike than those of two: where eight or more have hopped, the scatter over them says
        how many hops are independent.
        """
        all_hops = self.within + self.between
        total = int(all_hops.sum())
        if total == 0:
            return Estimate(float("nan"), float("nan"))
        share, n = float(self.between.sum()) / total, int(np.count_nonzero(all_hops))
        if n < ENOUGH_IONS or share in (0.0, 1.0):
            return ShareEstimate.of(share * total, float(total))
        squares = float(np.square(self.between - share * all_hops).sum()) * n / (n - 1.0)
        independent = max(1.0, total / max(1.0, squares / (total * share * (1.0 - share))))
        return ShareEstimate.of(share * independent, independent, n - 1.0)


def event_rate(events: Int64[Array, " particles"], n_intervals: int) -> CountEstimate:
    """Events of one particle in one interval between frames.

    The error is that of a Poisson count, of one event where none was seen, since that does not mean that none is
    possible. With eight particles or more their scatter enlarges it where some have more events than others.
    """
    n, total = len(events), int(events.sum())
    of_one = 1.0 / (n * max(1, n_intervals))
    if not total:
        return CountEstimate(0.0, of_one)
    if n < ENOUGH_IONS:
        return CountEstimate(total * of_one, float(np.sqrt(total)) * of_one)
    excess = max(1.0, float(events.var(ddof=1) / events.mean()))
    return CountEstimate(total * of_one, float(np.sqrt(total * excess)) * of_one, n - 1.0)


def coordination_hops(contacts: ContactRecord, persistence: int = 0) -> Hops:
    """Hops of ions from one set of coordinating sites to another.

    A hop has happened when none of the sites that coordinated the ion after its last hop is left in its shell, and none
    of them comes back within ``persistence`` frames; the sites found then count from there on. It leads to another
    molecule if the one with the most sites in the shell is another than before: the transfers between and along chains
    of Maitra and Heuer (Phys. Rev. Lett. 98, 227802 (2007)), told from lists of coordinating sites as by Brooks et al.
    (Macromolecules 51, 8987 (2018)). The flicker of single contacts is no hop, nor is a time without any.

    Args:
        contacts: at equally spaced frames.
        persistence: frames for which the old sites must stay away; 0 counts every change seen.
    """
    within, between = np.zeros(contacts.n_ions, dtype=np.int64), np.zeros(contacts.n_ions, dtype=np.int64)
    for ion in range(contacts.n_ions):
        frames, sites = contacts.shells(ion)
        if not len(frames):
            continue
        starts = np.flatnonzero(np.diff(frames, prepend=-1))
        listed, ends = sites.tolist(), np.append(starts, len(sites)).tolist()  # lists and sets: shells are tiny
        reference = set(listed[: ends[1]])
        host, since = _host(listed[: ends[1]], contacts.partner_of_site, -1), -1
        for k, frame in enumerate(frames[starts].tolist()):
            shell = listed[ends[k] : ends[k + 1]]
            if not reference.isdisjoint(shell):
                since = -1
                continue
            since = frame if since < 0 else since
            if frame - since < persistence:
                continue
            before, host = host, _host(shell, contacts.partner_of_site, host)
            (within if host == before else between)[ion] += 1
            reference, since = set(shell), -1
    return Hops(within, between, contacts.n_frames)


def _host(shell: list[int], partner_of_site: Int64[Array, " all_sites"], before: int) -> int:
    """Molecule with the most sites in the shell; the one before wins a tie."""
    partners, count = np.unique(partner_of_site[shell], return_counts=True)
    best = partners[count == count.max()]
    return before if before in best else int(best[0])


def cage_hops(
    unwrapped_positions: Float64[Array, "frames particles 3"], half_window: int, cage_size: float
) -> Int64[Array, " particles"]:
    """Number of times that each particle left its cage.

    p(t) = sqrt(<(r - <r>_B)^2>_A <(r - <r>_A)^2>_B) compares the windows A before and B after t: the squared distance
    between the places around which the particle rattles (Candelier, Dauchot and Biroli, Phys. Rev. Lett. 102, 088001
    (2009), eq. 1; in windows of fixed length as by Smessaert and Rottler, Phys. Rev. E 88, 022314 (2013)). A hop is an
    unbroken time for which p is above the square of the cage size. A particle that diffuses freely has no cage but
    hops by this count too: a rate means something where p is either small or large.

    Args:
        unwrapped_positions: drift removed where it has to be, length.
        half_window: frames in A, and in B; longer than the rattling, shorter than the stay in a cage.
        cage_size: length.

    Raises:
        ValueError: if the trajectory is shorter than both windows, or a number is not positive.
    """
    n, n_particles, _ = unwrapped_positions.shape
    if half_window < 1 or not cage_size > 0:
        raise ValueError(f"half window {half_window} and cage size {cage_size:g} must be positive")
    if n < 2 * half_window + 1:
        raise ValueError(f"{n} frames, at least {2 * half_window + 1} are needed for two windows of {half_window}")
    events = np.zeros(n_particles, dtype=np.int64)
    for particle in range(n_particles):
        above = hop_function(unwrapped_positions[:, particle], half_window) > cage_size**2
        events[particle] = int(np.count_nonzero(np.diff(above.astype(np.int8), prepend=0) == 1))
    return events


def hop_function(path: Float64[Array, "frames 3"], half_window: int) -> Float64[Array, " times"]:
    """Hop function p of one particle, see :func:`cage_hops`, at frames ``half_window`` to frames - ``half_window``."""
    relative = path - path[0]
    first = np.concatenate([np.zeros((1, 3)), np.cumsum(relative, axis=0)])
    second = np.concatenate([[0.0], np.cumsum(np.square(relative).sum(axis=1))])
    mean = (first[half_window:] - first[:-half_window]) / half_window
    square = (second[half_window:] - second[:-half_window]) / half_window
    before, after = mean[:-half_window], mean[half_window:]
    between = np.square(after - before).sum(axis=1)
    # <(r - <r>_B)^2>_A is the variance within A and the squared distance of the two means.
    own = [square[:-half_window] - np.square(before).sum(axis=1), square[half_window:] - np.square(after).sum(axis=1)]
    return np.asarray(np.sqrt(np.prod([np.maximum(v, 0.0) + between for v in own], axis=0)))
