"""What is measured: the shipped electrolyte tiled to any size, chains of ten beads, and models.

Positions are real, and every step is taken from them. Of architectures that no model ships of, weights are those of an
untrained network, whose time is that of a trained one; readouts are zero, as training finds them, so that refinement
leads back to the mean of the draw.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import find_model, load_model
from cgsim.config import load_experiment
from cgsim.errors import InputError
from cgsim.geometry import wrap
from cgsim.graph import BeadBatch
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.simulate.propagator import Calibration, LearnedPropagator
from cgsim.simulate.rollout import RolloutState
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import TrainingRange
from cgsim.train.data import TrainingSet, load_training_set
from cgsim.trajectory.importing import import_trajectory
from cgsim.typing import Float, Int32, Tensor

TOPOLOGY, TRAJECTORY = Path("data/peo_litfsi_450K/prod.tpr"), Path("data/peo_litfsi_450K/prod.xtc")
CHAIN = Path("data/chains-100/test/random-000.h5")
ELECTROLYTE, CHAINS = Path("configs/demo-electrolyte.yaml"), Path("configs/demo-chains.yaml")
PUBLISHED = Path("configs/published-electrolyte.yaml")
SHIPPED = {
    "electrolyte": "31.5 ps",
    "fast-electrolyte": "255 ps",
}  # the lag that the shipped box allows: see load_shipped
MOST_OFFSET = 20  # lags of history that are read, enough for every model here


@dataclass(frozen=True)
class Setting:
    """A model, and one small system that it can start from.

    Attributes:
        model: in evaluation mode.
        sampler: how its draws are refined.
        calibration: of its noise.
        trained: range that its guard keeps.
        data: training windows of the small system.
        inputs: the small system.
        unwrapped: [frames, beads, 3], positions one lag apart, the present last; length.
    """

    model: CoarseGrainedModel
    sampler: SamplerSettings
    calibration: Calibration
    trained: TrainingRange
    data: TrainingSet
    inputs: SystemInputs
    unwrapped: Float[Tensor, "frames beads 3"]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def with_model(self, settings: ModelSettings, sampler: SamplerSettings) -> "Setting":
        """The same system with another architecture."""
        return replace(self, model=untrained(settings, self.data, self.device), sampler=sampler)

    def propagator(self) -> LearnedPropagator:
        """The model ready to draw, with its guard."""
        return LearnedPropagator(self.model, self.sampler, self.calibration, [self.trained])


def import_electrolyte(folder: Path) -> Path:
    """The shipped electrolyte as a store."""
    if not TOPOLOGY.exists():
        raise InputError(f"{TOPOLOGY}: no such file; run the benchmark in the root of the repository")
    store = folder / "electrolyte.h5"
    if not store.exists():
        import_trajectory(TOPOLOGY, [TRAJECTORY], store)
    return store


def load_setting(config: Path, store: Path, device: torch.device, changes: list[str]) -> Setting:
    """A model of an experiment's architecture, untrained, and a store to start from."""
    data_settings = [f'data.train=["{store}"]', "data.validation=[]"]
    experiment = load_experiment(config, [*data_settings, *changes])
    plan = experiment.plan()
    data = load_training_set(plan.train, [], plan.mapping, plan.model)
    beads = open_beads(store, plan.mapping)
    stride = round(plan.model.lag_time / beads.store.save_interval)
    n_frames = beads.store.n_frames
    first = n_frames - 1 - stride * min(MOST_OFFSET, (n_frames - 1) // stride)
    frames = beads.read(slice(first, n_frames, stride))
    unwrapped = torch.from_numpy(frames.unwrapped_positions)
    model = untrained(plan.model, data, device)
    calibration = Calibration(own_error=1.0, noise_scale=(1.0,) * len(data.scales.class_names))
    return Setting(
        model, experiment.sampler, calibration, data.trained, data, data.inputs(data.train)[0], unwrapped
    )  # fmt: skip


def load_shipped(name: str, store: Path, device: torch.device) -> Setting:
    """A model of electrolytes that ships, its first seed with its weights, and a store to start from.

    The frames of the shipped box are 1.5 ps apart: the lag is 31.5 or 255 ps, the nearest to the 32 or 256 ps
    of the models that they allow.
    """
    changes = [f"model.lag_time={SHIPPED[name]}"]
    setting = load_setting(Path(f"configs/benchmark/{name}.yaml"), store, device, changes)
    model = load_model(find_model(f"{name}/seed-0"), device)
    card, beads = model.card, open_beads(store, model.card.mapping)
    inputs = SystemInputs.of(
        beads.atoms, beads.mapping, beads.read(slice(1)).cell[0], card.vocabulary, card.scales.class_names, str(store)
    )
    return replace(
        setting,
        model=model.model,
        sampler=card.sampler,
        calibration=card.calibration,
        trained=model.range_of(beads.atoms),
        inputs=inputs,
    )


def untrained(settings: ModelSettings, data: TrainingSet, device: torch.device) -> CoarseGrainedModel:
    """A model before its first step of training, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CoarseGrainedModel(settings, data.scales, data.vocabulary)
    if model.refiner is not None:
        torch.nn.init.zeros_(model.refiner.readout.weight)
    return model.to(device).eval()


def copies_of(setting: Setting, n_copies: int) -> tuple[BeadBatch, RolloutState]:
    """Copies of the small system side by side in one batch, each in its own box."""
    with torch.no_grad():
        batch = make_batch([setting.inputs], [0] * n_copies, setting.model.embedding)
    unwrapped = setting.unwrapped.repeat(1, n_copies, 1)
    return batch, _state(unwrapped, setting.inputs.cell, setting.device)


def tiled(setting: Setting, tiles: tuple[int, int, int]) -> tuple[BeadBatch, RolloutState]:
    """One box of so many copies of the small periodic box along each lattice vector."""
    with torch.no_grad():
        small = make_batch([setting.inputs], [0], setting.model.embedding)
    n, n_tiles = setting.inputs.n_beads, tiles[0] * tiles[1] * tiles[2]
    offsets = torch.cartesian_prod(*(torch.arange(float(k)) for k in tiles)).view(-1, 3) @ setting.inputs.cell
    cell = setting.inputs.cell * torch.tensor(tiles)[:, None]
    starts = n * torch.arange(n_tiles, device=setting.device)
    batch = BeadBatch(
        sizes=(n * n_tiles,),
        bead_class=small.bead_class.repeat(n_tiles),
        masses=small.masses.repeat(n_tiles),
        bond_index=(small.bond_index[:, None, :] + starts[None, :, None]).flatten(1),
        cell=cell[None].to(setting.device),
        embedding=small.embedding.repeat(n_tiles, 1),
        bond_embedding=small.bond_embedding.repeat(1, n_tiles, 1),
    )
    unwrapped = (setting.unwrapped[:, None] + offsets[None, :, None]).flatten(1, 2)
    return batch, _state(unwrapped, cell, setting.device)


def tiles_for(n_beads: int, n_small: int) -> tuple[int, int, int]:
    """Tiles along each lattice vector that give at least so many beads, as cubic as can be."""
    needed = -(-n_beads // n_small)
    a = math.ceil(needed ** (1 / 3) - 1e-9)
    b = math.ceil((needed / a) ** 0.5 - 1e-9)
    return a, b, -(-needed // (a * b))


def _state(unwrapped: Tensor, cell: Tensor, device: torch.device) -> RolloutState:
    wrapped, images = wrap(unwrapped, cell.double().expand(len(unwrapped), 3, 3))
    flags: Int32[Tensor, "kept beads 3"] = images
    return RolloutState(wrapped.float().to(device), flags.to(device))
