"""What to analyse and how."""

from dataclasses import dataclass

from cgsim.errors import InputError


@dataclass(frozen=True)
class AnalysisSettings:
    """Choices that the files do not make.

    Attributes:
        temperature: K; needed for conductivities unless the file states it.
        equilibration: time to leave out at the start, with unit (``"100 ps"``); empty for none.
        species: only these in figures of size and diffusion; all if empty.
        pairs: pairs of selections for radial distribution functions (``"Li:polymer.O"``); the most telling if empty.
        rdf_cutoff: largest distance, length; 12 Å or 6 sigma, or half the cell if that is less, if None.
        rdf_bin_width: length; 0.05 for atoms and sigma, 0.1 for beads in Å, if None.
        structure_frames: at most so many frames, evenly spread, are searched for neighbours.
        cluster_cutoff: distance within which ions hang together, length; 3.4 Å for atoms, the first minimum of the
            cation-anion radial distribution function for beads, if None.
        per_molecule: sizes of every chain by itself as well.
        between_molecules: radial distribution functions leave out pairs within one molecule.
        replicas: the files are runs of one system, to be combined.

    Raises:
        InputError: if a number is not positive.
    """

    temperature: float | None = None
    equilibration: str = ""
    species: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    rdf_cutoff: float | None = None
    rdf_bin_width: float | None = None
    structure_frames: int = 500
    cluster_cutoff: float | None = None
    per_molecule: bool = False
    between_molecules: bool = False
    replicas: bool = False

    def __post_init__(self) -> None:
        for name in ("temperature", "rdf_cutoff", "rdf_bin_width", "cluster_cutoff", "structure_frames"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name.replace('_', ' ')} must be positive, got {value:g}")
