"""What to analyse and how."""

from dataclasses import dataclass, field

from cgsim.analysis.dynamics_settings import DynamicsSettings
from cgsim.errors import InputError

AXES = ("x", "y", "z")
_LENGTHS = ("coordination_cutoff", "profile_bin_width", "contact_cutoff")


@dataclass(frozen=True)
class AnalysisSettings:
    """Choices that the files do not make.

    Attributes:
        temperature: K; needed for conductivities unless the file states it.
        equilibration: time to leave out at the start, with unit (``"100 ps"``); empty for none.
        species: only these in figures of size and diffusion; all if empty.
        pairs: pairs of selections for radial distribution functions (``"Li:polymer.O"``); the most telling if empty.
        coordination_cutoff: distance within which neighbours are counted, length; the first minimum of each radial
            distribution function if None.
        rdf_cutoff: largest distance, length; 12 Å or 6 sigma, or half the cell if that is less, if None.
        rdf_bin_width: length; 0.05 for atoms and sigma, 0.1 for beads in Å, if None.
        structure_frames: at most so many frames, evenly spread, are searched for neighbours.
        cluster_cutoff: distance within which ions hang together, length; 3.4 Å for atoms, the first minimum of the
            cation-anion radial distribution function for beads, if None.
        density_profile: axes of the cell (``"z"``) along which to make density profiles; none if empty.
        profile_bin_width: thickness of the slabs, length; 0.5 Å or 0.25 sigma if None.
        contact_maps: which units of a chain touch, and how many molecules of one species touch those of another.
        contact_cutoff: distance of a contact, length; 4.5 Å for atoms other than hydrogen, 1.5 mean bonds for beads, if
            None.
        per_molecule: sizes of every chain by itself as well.
        between_molecules: radial distribution functions leave out pairs within one molecule.
        replicas: the files are runs of one system, to be combined.
        dynamics: what to look at of the motion.
        green_kubo: conductivity from velocities too, which the files then must have.

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
    coordination_cutoff: float | None = None
    density_profile: tuple[str, ...] = ()
    profile_bin_width: float | None = None
    contact_maps: bool = False
    contact_cutoff: float | None = None
    per_molecule: bool = False
    between_molecules: bool = False
    replicas: bool = False
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    green_kubo: bool = False

    def __post_init__(self) -> None:
        for name in ("temperature", "rdf_cutoff", "rdf_bin_width", "cluster_cutoff", "structure_frames", *_LENGTHS):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name.replace('_', ' ')} must be positive, got {value:g}")
        for axis in self.density_profile:
            if axis not in AXES:
                raise InputError(f"density profile along {axis!r}: expected one of {', '.join(AXES)}")
