"""How each kind of curve is drawn: what stands on the axes, which lines, which scales; the same on plots and pages."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

ERROR = "standard_error"
SYSTEM, SPECIES, UNITS = "system", "species", "units"
MAPS = {"contact_map": ("unit_i", "unit_j", "probability"), "cluster_population": ("cations", "anions", "clusters")}
COMPOSITION = "cluster_composition"

Document = dict[str, Any]


class Scale(Enum):
    """Scales of the two axes."""

    LINEAR = "linear"
    LOG_TIME = "logarithmic abscissa"
    LOG = "both logarithmic"


@dataclass(frozen=True)
class Look:
    """One drawing of a kind of curve.

    Attributes:
        name: of the ordinate.
        ordinates: columns that are lines; their errors are ``COLUMN_error``, else ``standard_error``.
        scale: of the axes; linear where values are not all positive.
        level: where to put a line across.
        references: columns that are drawn beside, without errors, and what they are called.
        is_shape: references are shapes, put through the first point.
        are_points: no line goes through the points.
        is_steady: points that are mostly error do not set the scale, as those of g(r) near 0.
    """

    name: str
    ordinates: tuple[str, ...]
    scale: Scale = Scale.LINEAR
    level: float | None = None
    references: dict[str, str] = field(default_factory=dict)
    is_shape: bool = False
    are_points: bool = False
    is_steady: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of curve.

    Attributes:
        title: what it is.
        topic: what it belongs to; kinds of one topic stand together on a page.
        looks: its drawings; without any, a map or a chart.
        remark: what a reader must know; empty if nothing.
    """

    title: str
    topic: str
    looks: tuple[Look, ...] = ()
    remark: str = ""


CHAINS, PAIRS, MOTION, CHARGES, CLUSTERS, PLACES = (
    *("Chains", "Pairs", "Motion", "Collective motion of ions", "Ion clusters", "Profiles and contacts"),
)
OTHERS = "More curves"
TOPICS = (CHAINS, PAIRS, MOTION, CHARGES, CLUSTERS, PLACES, OTHERS)
_LAWS = {"arrhenius": "Arrhenius", "vogel_fulcher_tammann": "VFT"}
_DENSITIES = (
    Look("number density", ("number_density",)),
    Look("mass density", ("mass_density",)),
    Look("charge density", ("charge_density",), level=0.0),
)
_MODE = Look("", (), Scale.LOG, references={"rouse_shape": "Rouse"}, is_shape=True, are_points=True)
KINDS = {
    "rg_histogram": Kind("Distribution of the radius of gyration", CHAINS, (Look("density of Rg", ("density",)),)),
    "rg_autocorrelation": Kind(
        "Autocorrelation of the radius of gyration",
        CHAINS,
        (Look("autocorrelation of Rg", ("autocorrelation",), level=0.0, is_steady=True),),
    ),
    "end_to_end_autocorrelation": Kind(
        "Autocorrelation of the end-to-end vector",
        CHAINS,
        (Look("autocorrelation of ends", ("autocorrelation",), level=0.0),),
    ),
    "bond_correlation": Kind(
        "Correlation of bond directions",
        CHAINS,
        (Look("correlation of bonds", ("correlation",), level=0.0),),
        "Correlation of bonds: mean cosine of the angle between bonds of the backbone.",
    ),
    "rouse_modes": Kind(
        "Rouse modes",
        CHAINS,
        (
            replace(_MODE, name="amplitude of modes", ordinates=("amplitude",)),
            replace(_MODE, name="time of modes", ordinates=("relaxation_time",)),
            Look("stretching of modes", ("stretching",), level=1.0, are_points=True),
        ),
        "Rouse: how amplitudes of a Gaussian chain and relaxation times of a Rouse chain fall, through the first mode.",
    ),
    "rdf": Kind(
        "Radial distribution functions",
        PAIRS,
        (Look("g(r)", ("rdf",), level=1.0, is_steady=True), Look("neighbours within r", ("coordination",))),
        "Neighbours within r: mean number of particles of the second selection around one of the first.",
    ),
    "van_hove_distinct": Kind(
        "Van Hove function, distinct part",
        PAIRS,
        (Look("distinct van Hove", ("relative_density",), level=1.0, is_steady=True),),
        "Distinct van Hove: density of other particles, after a time, around where a particle was, over their mean.",
    ),
    "msd": Kind("Mean squared displacement", MOTION, (Look("MSD", ("msd",), Scale.LOG),)),
    "centre_of_mass_msd": Kind(
        "Mean squared displacement of centres of mass", MOTION, (Look("MSD of centres", ("msd",), Scale.LOG),)
    ),
    "van_hove_self": Kind(
        "Van Hove function, self part",
        MOTION,
        (Look("van Hove 4πr²G", ("probability_density",), references={"gaussian": "Gaussian"}),),
        "Van Hove: distribution of the distance gone after a time; dashed: the Gaussian of the same mean square.",
    ),
    "non_gaussian_parameter": Kind(
        "Non-Gaussian parameter",
        MOTION,
        (Look("non-Gaussian α₂", ("non_gaussian_parameter",), Scale.LOG_TIME, level=0.0),),
    ),
    "residence": Kind(
        "Residence",
        MOTION,
        (Look("contacts left", ("continuous", "intermittent"), level=0.0),),
        "Contacts left: share that lasts without a break (continuous) or is there again (intermittent).",
    ),
    "charge_displacement": Kind(
        "Displacement of charge",
        CHARGES,
        (Look("⟨(ΣzΔr)²⟩", ("displacement",), Scale.LOG, level=0.0),),
        "Mean square of the displacement of the charge of all ions.",
    ),
    "cross_displacement": Kind(
        "Products of displacements",
        CHARGES,
        (Look("⟨ΔR·ΔR⟩", ("displacement",), Scale.LOG, level=0.0),),
        "Mean product of the displacements of all ions of two species.",
    ),
    "green_kubo_integral": Kind(
        "Green–Kubo integral",
        CHARGES,
        (Look("conductivity up to a time", ("conductivity",), Scale.LOG_TIME, level=0.0),),
        "Running integral of the autocorrelation of the current; its noise grows with time.",
    ),
    "conductivity_spectrum": Kind(
        "Spectrum of the current",
        CHARGES,
        (Look("conductivity", ("conductivity",), Scale.LOG_TIME, references={"cepstral": "cepstral"}),),
        "Spectrum of the current, in bins, and the smooth one fitted to it, whose value at zero is the conductivity.",
    ),
    "cluster_population": Kind(
        "Population of clusters", CLUSTERS, remark="Mean number of clusters of so many ions of each sign."
    ),
    COMPOSITION: Kind("Composition of clusters", CLUSTERS, remark="By composition: clusters that hold most ions."),
    "density_profile_x": Kind("Density profile along x", PLACES, _DENSITIES),
    "density_profile_y": Kind("Density profile along y", PLACES, _DENSITIES),
    "density_profile_z": Kind("Density profile along z", PLACES, _DENSITIES),
    "contact_map": Kind(
        "Contact maps",
        PLACES,
        remark="Map: probability that two units of a chain touch.",
    ),
    "arrhenius": Kind(
        "Temperature dependence", OTHERS, (Look("", ("log10_value",), references=_LAWS, are_points=True),)
    ),
}


def kind_of(name: str, curves: list[Document]) -> Kind:
    """How a kind is drawn; one that is not known gets its first column over which an error is known."""
    if name in KINDS:
        return KINDS[name]
    columns = columns_of(curves[0])[1:]
    known = [c for c in columns if c != ERROR and not c.endswith("_error")]
    looks = tuple(Look(column.replace("_", " "), (column,)) for column in known[:1])
    return Kind(name.replace("_", " ").capitalize(), OTHERS, looks)


def columns_of(curve: Document) -> list[str]:
    """Names of the columns; the first is the abscissa."""
    return [name for name, values in curve.items() if isinstance(values, list)]
