"""Refinement of a drawn configuration by a denoiser: annealed Langevin dynamics and faster ways down the noise levels.

Everything here knows only ``denoise(positions, noise_level) -> expected clean positions``; the score of the noised
density is ``(denoise(y, sigma) - y) / sigma^2`` (Tweedie's formula).
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from cgsim.typing import Float, Tensor

Denoise = Callable[[Tensor, float], Tensor]


class SamplerSettings(BaseModel):
    """How a draw is refined.

    Attributes:
        method: ``multistep``: second-order steps of the probability-flow equation that use the denoiser's last two
            answers, one network call a level (Lu et al. 2022, DPM-Solver++(2M)); ``heun``: second-order steps of the
            same equation, two calls a level, with some noise put back (Karras et al. 2022, algorithm 2); ``langevin``:
            annealed Langevin with steps proportional to sigma^2 (Song & Ermon 2020); ``ancestral``: one stochastic
            first-order step a level; ``published``: constant Langevin step at all levels.
        start: highest noise level, length; ``matched`` takes the dynamics model's own error on its training data.
        end: lowest noise level, length; the last step is always a denoising step, except in ``published``.
        n_levels: number of noise levels, spaced geometrically.
        n_steps: Langevin steps at each level.
        step_size: ``langevin``: step in units of sigma^2; ``published``: the constant step, length^2.
        churn: how much noise is put back at each level; 0 is deterministic, so that errors made at high levels stay.
            ``heun``: relative to the level; ``multistep``: amplitude relative to that of the reverse diffusion.
        scaled: what is scaled, class by class, until refined displacements have the variance of the data. ``draw``: the
            noise of the Gaussian draw alone; ``start``: that and the noise of the first level together, so that motion
            of neighbours with each other and against each other grows alike; ``none``: nothing.
        guidance: how much of what the network adds to its prior is added once more. A denoiser that has not learned
            everything answers too near what it would say if it knew less, and step by step beads end where the data
            have few; going further away from what the prior says makes up for it (autoguidance of Karras et al.,
            NeurIPS 2024, the prior in the place of a worse network).
        guidance_end: noise level, length, down to which guidance goes; below it the network is asked as it is
            (Kynkäänniemi et al., NeurIPS 2024).
        guard: whether pairs closer than any in training systems of the same kinds of atoms, and bonds longer than any
            in all training data, are corrected at the end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["multistep", "heun", "langevin", "ancestral", "published"] = "multistep"
    start: PositiveFloat | Literal["matched"] = "matched"
    end: PositiveFloat = 0.3
    n_levels: int = Field(default=7, ge=1)
    n_steps: int = Field(default=1, ge=1)
    step_size: PositiveFloat = 0.3
    churn: float = Field(default=0.0, ge=0.0, le=1.0)
    scaled: Literal["draw", "start", "none"] = "draw"
    guidance: float = Field(default=0.0, ge=0.0)
    guidance_end: float = Field(default=0.0, ge=0.0)
    guard: bool = True

    def guidance_at(self, noise_level: float) -> float:
        """Guidance at a noise level."""
        return self.guidance if noise_level > self.guidance_end else 0.0

    @property
    def n_calls(self) -> int:
        """Network calls of one refinement."""
        per_level = {"heun": 2, "langevin": self.n_steps, "published": self.n_steps}.get(self.method, 1)
        return self.n_levels * per_level - (self.method == "heun") + (self.method == "langevin")


def noise_levels(start: float, end: float, n_levels: int) -> list[float]:
    """Geometric series of descending noise levels."""
    if n_levels == 1:
        return [start]
    return [start * (end / start) ** (i / (n_levels - 1)) for i in range(n_levels)]


def refine(
    denoise: Denoise,
    positions: Float[Tensor, "beads 3"],
    settings: SamplerSettings,
    start: float,
    generator: torch.Generator,
    spread: Float[Tensor, "beads 1"] | float = 1.0,
) -> Float[Tensor, "beads 3"]:
    """Refine drawn positions.

    Args:
        denoise: the denoiser.
        positions: the draw; noise of the first level is added to it, except in ``published``.
        settings: method and levels.
        start: the first noise level, length.
        generator: the only source of randomness.
        spread: factor on the noise of the first level; not in ``published``.

    Returns:
        Positions at noise zero (``published``: as the last Langevin step leaves them).
    """
    levels = noise_levels(start, min(settings.end, start), settings.n_levels)

    def noise() -> Tensor:
        return torch.randn(positions.shape, generator=generator, dtype=positions.dtype, device=positions.device)

    if settings.method == "published":
        for level in levels:
            for _ in range(settings.n_steps):
                score = (denoise(positions, level) - positions) / level**2
                positions = positions + settings.step_size * score + (2.0 * settings.step_size) ** 0.5 * noise()
        return positions
    positions = positions + spread * start * noise()
    if settings.method == "langevin":
        for level in levels:
            step = settings.step_size * level**2
            for _ in range(settings.n_steps):
                score = (denoise(positions, level) - positions) / level**2
                positions = positions + step * score + (2.0 * step) ** 0.5 * noise()
        return denoise(positions, levels[-1])
    if settings.method == "multistep":
        return _multistep(denoise, positions, levels, settings.churn, noise)
    for level, below in zip(levels, [*levels[1:], 0.0], strict=True):
        if settings.method == "ancestral":
            clean = denoise(positions, level)
            ratio = (below / level) ** 2
            positions = clean + ratio * (positions - clean) + below * (1.0 - ratio) ** 0.5 * noise()
        else:
            positions = _heun_step(denoise, positions, level, below, settings.churn, noise)
    return positions


def _multistep(
    denoise: Denoise, positions: Tensor, levels: list[float], churn: float, noise: Callable[[], Tensor]
) -> Tensor:
    """Down all levels by DPM-Solver++(2M) of Lu et al. (2022), algorithm 2, in terms of the denoiser.

    Between two levels the expected clean positions are taken to change linearly with the logarithm of the level, as
    they did between the two before; the first step takes them as constant. The last step is a plain denoising step.
    With churn a part of the noise is drawn afresh at every level but the last, as much as leaves its variance right:
    what is left of the old one is scaled to ``sqrt(1 - churn^2 (1 - r^2))`` of it, r the ratio of the levels (Song,
    Meng and Ermon 2021, equation 16). At 1 these are steps of the reverse diffusion, whose noise makes up for what went
    wrong further up.
    """
    clean, earlier_step = denoise(positions, levels[0]), 0.0
    before = clean
    for level, below in pairwise(levels):
        step = math.log(level / below)
        change = 0.5 * step / earlier_step if earlier_step > 0.0 else 0.0
        ahead = clean + change * (clean - before)
        removed = 1.0 - (below / level) ** 2  # share of the noise's variance
        kept = below / level * (1.0 - churn**2 * removed) ** 0.5
        positions = kept * positions + (1.0 - kept) * ahead
        if churn > 0.0:
            positions = positions + churn * below * removed**0.5 * noise()
        before, earlier_step = clean, step
        clean = denoise(positions, below)
    return clean


def _heun_step(
    denoise: Denoise, positions: Tensor, level: float, below: float, churn: float, noise: Callable[[], Tensor]
) -> Tensor:
    """One step of Karras et al. (2022), algorithm 2; the last one, to zero, is a plain denoising step."""
    raised = level * (1.0 + churn) if below > 0 else level
    if raised > level:
        positions = positions + (raised**2 - level**2) ** 0.5 * noise()
    slope = (positions - denoise(positions, raised)) / raised
    ahead = positions + (below - raised) * slope
    if below == 0.0:
        return ahead
    slope_ahead = (ahead - denoise(ahead, below)) / below
    return positions + (below - raised) * 0.5 * (slope + slope_ahead)
