"""The learned propagator: a Gaussian draw by the dynamics GNN, refined by the score GNN."""

from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict

from cgsim.graph import BeadBatch
from cgsim.models.model import CoarseGrainedModel
from cgsim.simulate.guard import Guard
from cgsim.simulate.sampler import SamplerSettings, refine
from cgsim.simulate.stability import TrainingRange
from cgsim.typing import Float, Int, Tensor


class Calibration(BaseModel):
    """What was measured of the finished model on its own training windows.

    Attributes:
        own_error: root mean square error per axis of the dynamics GNN's draws, length; what ``start: matched`` means.
        noise_scale: [classes], factor on the noise of the draws (and of the first level where the sampler says so) that
            gives refined displacements the variance of the data; a denoiser takes unphysical parts out of a draw and
            with them variance. 1 where nothing is scaled.
        centre_variance: mass times variance per axis of the displacement of an open system's centre of mass over one
            lag, mass length^2; none without open systems or ``free_centre``. In a solvent of uniform friction a
            molecule is a free Brownian particle as a whole, its diffusivity inverse to its mass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    own_error: float
    noise_scale: tuple[float, ...]
    centre_variance: float | None = None


class LearnedPropagator:
    """Draws the next configuration with a trained model; satisfies :class:`cgsim.models.interface.Propagator`.

    Args:
        model: the trained model, in evaluation mode.
        sampler: how draws are refined; unused by a model without refiner.
        calibration: what was measured of the model after training.
        ranges: which the guard keeps, of each system of the batches that are drawn; or one for all systems.

    Attributes:
        n_guarded: [graphs], beads that the guard moved at the end of the last draw.
    """

    def __init__(
        self,
        model: CoarseGrainedModel,
        sampler: SamplerSettings,
        calibration: Calibration,
        ranges: Sequence[TrainingRange],
    ) -> None:
        self.model, self.sampler, self.calibration = model, sampler, calibration
        self.start = calibration.own_error if sampler.start == "matched" else sampler.start
        self.history_offsets = model.settings.history_offsets
        device = model.embedding.atom_embedding.weight.device
        self.guard = Guard(ranges, device)
        self.noise_scale = torch.tensor(calibration.noise_scale, device=device)
        if sampler.scaled == "none":
            self.noise_scale = torch.ones_like(self.noise_scale)
        self.n_guarded: Int[Tensor, " graphs"] = torch.zeros(0, dtype=torch.int64)

    @torch.no_grad()
    def draw(
        self, batch: BeadBatch, history: Float[Tensor, "beads history 3"], generator: torch.Generator
    ) -> Float[Tensor, "beads 3"]:
        """Draw the next unwrapped positions; the centre of mass of a periodic system stays where it is."""
        model, history = self.model, batch.at_rest(history)
        present = history[:, -1]
        gaussian, latents = model.dynamics(batch, history, model.dynamics.graph(batch, history))
        reference = model.dynamics.normalization.reference
        drawn = gaussian.sample(generator)
        scale = self.noise_scale[batch.bead_class][:, None]
        noise = (drawn - gaussian.mean) * scale
        positions = present + reference * (gaussian.mean + noise)
        if model.refiner is not None:
            refiner = model.refiner

            def denoise(noised: Tensor, level: float) -> Tensor:
                levels = noised.new_full((len(batch.sizes),), level)
                guidance = self.sampler.guidance_at(level)
                return refiner.denoise(batch, history, gaussian, latents, noised, levels, guidance)

            spread = scale if self.sampler.scaled == "start" else 1.0
            positions = refine(denoise, positions, self.sampler, self.start, generator, spread)
        self.n_guarded = torch.zeros(len(batch.sizes), dtype=torch.int64, device=present.device)
        if self.sampler.guard:
            positions, self.n_guarded = self.guard(positions, present, batch)
        displacement = positions - present
        if self.calibration.centre_variance is not None:
            centre = self._centres(batch, self.calibration.centre_variance, generator)
            displacement = displacement - batch.centre_of_mass(displacement) + centre
        return present + batch.remove_drift(displacement)

    def _centres(self, batch: BeadBatch, variance: float, generator: torch.Generator) -> Float[Tensor, "beads 3"]:
        """Displacements of free centres of mass, each given to all beads of its system."""
        mass = batch.total_mass
        noise = torch.randn((len(mass), 3), generator=generator, dtype=mass.dtype, device=mass.device)
        moved: Tensor = noise * (variance / mass).sqrt()[:, None]
        return moved[batch.graph_index]
