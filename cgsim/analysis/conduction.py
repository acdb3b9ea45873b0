"""Figures of charge transport by Nernst and Einstein: of independent ions, and of ion clusters."""

import numpy as np

from cgsim.analysis.association import BY_MINIMUM, Association
from cgsim.analysis.figures import Figure
from cgsim.analysis.mobility import MULTI_ORIGIN, SINGLE_ORIGIN
from cgsim.analysis.remarks import headed, joined
from cgsim.analysis.salt import Salt
from cgsim.observables.transport import Transport, cluster_nernst_einstein, nernst_einstein

PUBLISHED_LARGEST = 9  # ions of one sign; larger clusters are left out of the published sum
ANY_FRAME = "any: self-diffusion is the same in all, to one part in the number of ions"


def self_diffusion(salt: Salt, figures: list[Figure], origin: str) -> list[Figure] | None:
    """Self-diffusivity of each ion by one method, or None if one is missing or not above 0."""
    own = {f.species: f for f in figures if f.name == "self_diffusivity" and f.method == origin and f.estimate.value}
    return [own[ion.name] for ion in salt.ions] if all(ion.name in own for ion in salt.ions) else None


def nernst_einstein_figures(salt: Salt, figures: list[Figure]) -> list[Figure]:
    """Conductivity and transference numbers of independent ions, by every method that gave self-diffusivities."""
    found: list[Figure] = []
    for origin in (SINGLE_ORIGIN, MULTI_ORIGIN):
        chosen = self_diffusion(salt, figures, origin)
        if chosen is not None:
            free = nernst_einstein([f.estimate for f in chosen], salt.charges, salt.counts)
            found += _transport(salt, free, f"nernst-einstein {origin}", chosen, {})
    return found


def cluster_figures(salt: Salt, figures: list[Figure], clusters: Association) -> list[Figure]:
    """The same of ion clusters; with single-origin coefficients the published sum, which leaves large clusters out."""
    found: list[Figure] = []
    compositions, counts = clusters.series.compositions, clusters.series.counts
    is_cation = salt.charges > 0
    for origin in (SINGLE_ORIGIN, MULTI_ORIGIN):
        chosen = self_diffusion(salt, figures, origin)
        if chosen is None:
            continue
        warning = ""
        kept = np.ones(len(compositions), dtype=bool)
        if origin == SINGLE_ORIGIN:
            kept = np.maximum(compositions[:, is_cation].sum(axis=1), compositions[:, ~is_cation].sum(axis=1)) <= (
                PUBLISHED_LARGEST
            )
            if not kept.any():
                continue  # all ions hang together, as in a molten salt: the published sum is empty
            ions = counts.sum(axis=0) * compositions.sum(axis=1)
            if not kept.all():
                warning = (
                    f"{1 - ions[kept].sum() / ions.sum():.0%} of the ions are in clusters of more than "
                    f"{PUBLISHED_LARGEST} cations or anions, which the published sum leaves out"
                )
        estimates = [f.estimate for f in chosen]
        transport = cluster_nernst_einstein(estimates, salt.charges, compositions[kept], counts[:, kept])
        if clusters.contact.endswith(BY_MINIMUM):
            warning = joined(warning, f"ions hang together where {clusters.contact}")
        details = {"contact": clusters.contact, **_populations(compositions[kept], counts[:, kept].mean(axis=0))}
        found += _transport(salt, transport, f"cluster-nernst-einstein {origin}", chosen, details, warning)
    return found


def _populations(compositions: np.ndarray, means: np.ndarray) -> dict[str, object]:
    """Mean number of clusters: of i cations and j anions as a matrix, of several species as a list."""
    if compositions.shape[1] == 2:
        matrix = np.zeros(compositions.max(axis=0) + 1)
        matrix[tuple(compositions.T)] = means
        return {"populations": matrix}
    return {"populations": [{"ions": c, "clusters": m} for c, m in zip(compositions, means, strict=True)]}


def _transport(
    salt: Salt, transport: Transport, method: str, diffusion: list[Figure], details: dict[str, object], extra: str = ""
) -> list[Figure]:
    warning = joined(*(headed(f.species, f.warning) for f in diffusion), extra)
    window = (min(f.window[0] for f in diffusion), max(f.window[1] for f in diffusion))
    common = {**salt.details, **details}
    sigma = transport.charge_diffusion.scaled(salt.factor)
    figures = [Figure("conductivity", salt.label, sigma, "S/cm", method, window, warning, common)]
    of_frame = {**common, "frame": ANY_FRAME}
    for k in salt.reported:
        share, name = transport.transference[k], salt.ions[k].name
        figures.append(Figure("transference_number", name, share, "", method, window, warning, of_frame))
    return figures
