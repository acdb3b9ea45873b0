"""Which sites coordinate each ion, frame by frame: the record that residence times and hops are read from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from vesin import NeighborList

from cgsim.typing import Array, Bool, Float64, Int64


@dataclass(frozen=True)
class ContactRecord:
    """Contacts between ions and sites of other molecules: one entry for each contact in each frame.

    Attributes:
        n_frames: number of frames looked at, equally spaced.
        n_ions: number of ions.
        n_partners: number of molecules that sites belong to.
        first: [ions + 1], where the entries of each ion begin.
        frame: [contacts], in ascending order for each ion.
        site: [contacts].
        partner_of_site: [sites], the molecule of each site.
    """

    n_frames: int
    n_ions: int
    n_partners: int
    first: Int64[Array, " bounds"]
    frame: Int64[Array, " contacts"]
    site: Int64[Array, " contacts"]
    partner_of_site: Int64[Array, " sites"]

    def shells(self, ion: int) -> tuple[Int64[Array, " own"], Int64[Array, " own"]]:
        """Frame and site of every contact of an ion, in order of frames."""
        own = slice(self.first[ion], self.first[ion + 1])
        return self.frame[own], self.site[own]

    def histories(self, ion: int) -> Bool[Array, "partners frames"]:
        """Whether an ion touches a molecule, frame by frame; one row for every molecule that it ever touches."""
        frame, site = self.shells(ion)
        partners, row = np.unique(self.partner_of_site[site], return_inverse=True)
        history = np.zeros((len(partners), self.n_frames), dtype=bool)
        history[row, frame] = True
        return history


def record_contacts(
    frames: Iterable[tuple[Float64[Array, "particles 3"], Float64[Array, "3 3"]]],
    ion_sites: Int64[Array, " ion_sites"],
    ion_of_site: Int64[Array, " ion_sites"],
    partner_sites: Int64[Array, " sites"],
    partner_of_site: Int64[Array, " sites"],
    cutoff: float,
) -> ContactRecord:
    """Find all contacts: any site of an ion within the cutoff of a site of another molecule.

    Args:
        frames: positions and cell (zeros for open boundaries), one at a time.
        ion_sites: particles of the ions that can touch.
        ion_of_site: the ion of each of them, 0-based.
        partner_sites: particles of the other molecules that can be touched; none of ``ion_sites``.
        partner_of_site: the molecule of each of them, 0-based.
        cutoff: length.

    Raises:
        ValueError: if the cutoff is not positive or there is no frame.
    """
    if not cutoff > 0:
        raise ValueError(f"the cutoff of contacts must be positive, got {cutoff:g}")
    neighbors = NeighborList(cutoff=cutoff, full_list=False)
    chosen = np.concatenate([ion_sites, partner_sites])
    n_own, n_sites = len(ion_sites), len(partner_sites)
    found: list[Array] = []
    n_frames = 0
    for positions, cell in frames:
        i, j, _ = neighbors.compute(positions[chosen], cell, bool(cell.any()), "ijd")
        i, j = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
        across = (i < n_own) & (j >= n_own)
        # Two sites of an ion at one site of the other, or two images of it, are one contact.
        found.append(np.unique(ion_of_site[i[across]] * n_sites + j[across] - n_own))
        n_frames += 1
    if n_frames == 0:
        raise ValueError("no frames")
    code = np.concatenate(found)
    frame = np.repeat(np.arange(n_frames), [len(f) for f in found])
    order = np.argsort(code // n_sites, kind="stable")
    n_ions = int(ion_of_site.max()) + 1
    return ContactRecord(
        n_frames,
        n_ions,
        int(partner_of_site.max()) + 1,
        np.searchsorted((code // n_sites)[order], np.arange(n_ions + 1)),
        frame[order],
        (code % n_sites)[order],
        partner_of_site,
    )
