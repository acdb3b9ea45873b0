"""Which values a figure can have at all, so that no interval reaches beyond them."""

import math

POSITIVE = (
    *("density", "molality", "radius_of_gyration", "end_to_end_distance", "mean_squared_"),
    *("relaxation_time", "end_to_end_relaxation_time", "rouse_", "asphericity", "acylindricity"),
    *("rdf", "coordination_", "molecules_in_contact", "mean_cluster_size", "largest_cluster_size"),
    *("self_diffusivity", "centre_of_mass_diffusivity", "residence_time", "hop_rate"),
    *("conductivity", "onsager_self", "haven_ratio"),
)  # names, or how they begin
SHARES = ("relative_shape_anisotropy", "free_ion_fraction", "interchain_hop_share")
OF_INDEPENDENT_IONS = ("transference_number", "nernst-einstein")  # by clusters or collectively it can be below 0


def possible_range(name: str, method: str) -> tuple[float, float]:
    """Smallest and largest value that a figure can have.

    To cut an interval there does not change how often it holds the truth.
    """
    if name in SHARES or (name == OF_INDEPENDENT_IONS[0] and method.startswith(OF_INDEPENDENT_IONS[1])):
        return 0.0, 1.0
    return (0.0, math.inf) if name.startswith(POSITIVE) else (-math.inf, math.inf)
