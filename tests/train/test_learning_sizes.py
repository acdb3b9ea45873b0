"""The size head learns conditional means, from clean configurations, and nothing else learns with it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from systems import OPEN, bead_spring, electrolyte, inputs_of, random_model, trajectory_of

from cgsim.beads import open_beads, write_beads
from cgsim.checkpoint import TrainedModel
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.bead_size import BeadSizeSettings, SmallNetworkSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.inputs import make_batch
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.observables.structure import radius_of_gyration
from cgsim.simulate.bead_sizes import BeadSizes
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.data import Windows, load_training_set
from cgsim.train.fit import Plan, fit
from cgsim.train.module import HistoryNoise, TrainingModule, TrainingSettings, collate
from cgsim.train.objectives import compute_losses
from cgsim.train.pushes import Approaches
from cgsim.train.source import Source, load
from cgsim.trajectory import System
from cgsim.trajectory.store import write_store

PAIRS = MappingSettings(atoms_per_bead=2)
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=8)
HEAD = SmallNetworkSettings(**dict(NETWORK))
EMBEDDING = EmbeddingSettings(type_size=4, latent=8, n_steps=1, size=4)


def squared_size(distance: np.ndarray) -> np.ndarray:
    """Mean squared size of each of two beads at some distance: stretched when they are close."""
    return 0.2 + 1.5 * np.exp(-0.7 * distance)


def dumbbells(n_frames: int, spread: float, seed: int) -> tuple[System, np.ndarray]:
    """Two beads of two atoms each, [frames, 4, 3]; sizes scatter by a third about the mean that the distance sets."""
    rng = np.random.default_rng(seed)
    bond = rng.normal(scale=spread, size=(n_frames, 1, 3))
    centres = np.concatenate([-bond / 2, bond / 2], axis=1)
    mean = squared_size(np.linalg.norm(bond, axis=-1))
    half = np.sqrt(mean * rng.gamma(9.0, 1.0 / 9.0, size=(n_frames, 2)))
    inner = rng.normal(size=(n_frames, 2, 3))
    inner *= (half / np.linalg.norm(inner, axis=-1))[..., None]
    atoms = np.stack([centres[:, 0] - inner[:, 0], centres[:, 0] + inner[:, 0],
                      centres[:, 1] - inner[:, 1], centres[:, 1] + inner[:, 1]], axis=1)  # fmt: skip
    return bead_spring(4, type_names=("1",)), atoms


def dumbbell_store(path: Path, n_frames: int, spread: float, seed: int) -> Path:
    system, atoms = dumbbells(n_frames, spread, seed)
    write_store(path, trajectory_of(system, atoms, OPEN, 1.0))
    return path


def plan(paths: list[Path], *, head: bool = True, network: SmallNetworkSettings = HEAD, **training) -> Plan:
    model = ModelSettings(
        lag_time=1.0,
        history_offsets=(0, 1),
        embedding=EMBEDDING,
        dynamics=DynamicsSettings(network=NETWORK),
        bead_size=BeadSizeSettings(network=network) if head else None,
    )
    settings = TrainingSettings.model_validate({"steps": 6, "validate_every": 3, "batch_size": 4, **training})
    return Plan(
        name="sizes",
        units=None,
        train=[Source(path, 0.0, math.inf) for path in paths],
        validation=[Source(path, 0.0, math.inf) for path in paths[:1]],
        mapping=PAIRS,
        model=model,
        training=settings,
        sampler=SamplerSettings(),
        experiment={"model": json.loads(model.model_dump_json())},
    )


def head_on(trained: TrainedModel, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bead positions of a store, their true sizes and those of the head."""
    beads = open_beads(path, PAIRS)
    trajectory = beads.read(sizes=True)
    with torch.no_grad():
        batch = make_batch([inputs_of(trained.model, beads.atoms, PAIRS, OPEN)], [0], trained.model.embedding)
    found = BeadSizes(trained.model, batch)(torch.from_numpy(trajectory.wrapped_positions)).numpy()
    return trajectory.unwrapped_positions, trajectory.squared_sizes, found


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> TrainedModel:
    """A model with a head trained on dumbbells."""
    folder = tmp_path_factory.mktemp("dumbbells")
    path = dumbbell_store(folder / "train.h5", 3000, 1.5, seed=0)
    given = plan([path], network=HEAD.model_copy(update={"latent": 16}), steps=250, batch_size=64,
                 validate_every=250, learning_rate=1e-2, averaging=0.95)  # fmt: skip
    return fit(given, folder / "run", resume=False)


@pytest.mark.slow
def test_head_learns_how_the_mean_size_depends_on_the_distance_of_the_neighbour(trained, tmp_path):
    positions, true, found = head_on(trained, dumbbell_store(tmp_path / "new.h5", 2000, 1.5, seed=1))
    expected = squared_size(np.linalg.norm(positions[:, 0] - positions[:, 1], axis=-1))[:, None]
    # Sizes scatter by a third of a mean of about 0.7; 6000 of them tell apart what 20 numbers can fit to about
    # 0.2 sqrt(20 / 6000) = 0.01. The class mean is off by the spread of the law itself, about 0.2.
    error = np.sqrt(np.square(found - expected).mean())
    assert error < 0.03
    assert np.sqrt(np.square(true.mean() - expected).mean()) > 5 * error


@pytest.mark.slow
def test_mean_squared_radius_of_unseen_molecules_of_atoms_comes_from_their_beads(trained, tmp_path):
    """Of shorter ones than those of training, so that the mean size of the class is wrong for them."""
    path = dumbbell_store(tmp_path / "short.h5", 4000, 0.9, seed=2)
    beads, _, found = head_on(trained, path)
    system, atoms = dumbbells(4000, 0.9, seed=2)
    true = radius_of_gyration(atoms, system.masses, system.molecule_id)[:, 0] ** 2
    of_beads = radius_of_gyration(beads, np.full(2, 2.0), np.zeros(2, dtype=np.int64))[:, 0] ** 2
    difference = of_beads + found.mean(axis=1) - true
    error = difference.std() / math.sqrt(len(true))  # frames are independent, and the beads are the same
    # 0.03 is what the test above allows the network to be off.
    assert abs(difference.mean()) < 3 * error + 0.03
    class_mean = trained.model.scales.squared_size[0]
    assert abs((of_beads + class_mean - true).mean()) > 0.1
    assert abs((of_beads - true).mean()) > 0.5


def test_class_mean_is_that_of_the_training_data(tmp_path):
    paths = [dumbbell_store(tmp_path / f"{k}.h5", 30 + 20 * k, 1.0 + k, seed=k) for k in (0, 1)]
    data = load_training_set([Source(p, 0.0, math.inf) for p in paths], [], PAIRS, plan(paths).model)
    sizes = np.concatenate([open_beads(p, PAIRS).read(sizes=True).squared_sizes.ravel() for p in paths])
    assert data.scales.squared_size == pytest.approx([sizes.mean()], rel=1e-6)  # float32
    without = load_training_set([Source(paths[0], 0.0, math.inf)], [], PAIRS, plan(paths, head=False).model)
    assert without.scales.squared_size is None


def test_windows_bring_the_sizes_of_their_present_frame_forwards_and_backwards(tmp_path):
    path = dumbbell_store(tmp_path / "a.h5", 20, 1.0, seed=0)
    wanted = plan([path]).model
    data = load(Source(path, 3.0, math.inf), PAIRS, wanted)
    exact = open_beads(path, PAIRS).read(sizes=True)
    windows = Windows([data], wanted, both_ways=True)
    assert len(windows) == 2 * 15
    for k in range(len(windows)):
        _, history, _, sizes = windows[k]
        frame = int(np.flatnonzero((exact.wrapped_positions == history[:, -1].numpy()).all(axis=(1, 2)))[0])
        np.testing.assert_array_equal(sizes, exact.squared_sizes[frame])
    without = plan([path], head=False).model
    assert len(Windows([load(Source(path, 0.0, math.inf), PAIRS, without)], without)[0]) == 3


def test_history_noise_does_not_reach_the_head(tmp_path):
    path = dumbbell_store(tmp_path / "a.h5", 20, 1.0, seed=0)
    data = load_training_set([Source(path, 0.0, math.inf)], [], PAIRS, plan([path]).model)
    settings = {noise: TrainingSettings(history_noise=HistoryNoise(largest=noise)) for noise in (0.0, 3.0)}
    model = random_model(plan([path]).model, [data.train[0].store.atoms], PAIRS)
    windows = Windows(data.train, model.settings)
    batch = collate([windows[k] for k in (0, 5, 9)])
    parts = data.inputs(data.train), [], data.approaches(model.settings)
    clean, noised = (TrainingModule(model, s, *parts) for s in settings.values())
    given = noised._window(batch, noised.train_systems)
    augmented = noised._augment(given, torch.Generator().manual_seed(0))
    assert (augmented.history - given.history).abs().max() > 0.01
    assert torch.equal(augmented.sizes.positions, batch[1][:, -1])
    assert torch.equal(augmented.sizes.squared_sizes, batch[3])
    losses = [
        compute_losses(model, one._augment(one._window(batch, one.train_systems), torch.Generator().manual_seed(0)),
                       0.5, torch.Generator().manual_seed(0))
        for one in (clean, noised)
    ]  # fmt: skip
    assert torch.equal(losses[0].size, losses[1].size)
    assert not torch.equal(losses[0].likelihood, losses[1].likelihood)
    one = losses[0]
    assert torch.equal(one.total, one.likelihood + one.balance + one.score + one.size)


def test_configurations_are_turned_with_their_cell_and_keep_their_sizes():
    atoms, cell = electrolyte(1, 4, 1), np.diag([15.0, 16.0, 17.0])
    mapping = MappingSettings()
    given = ModelSettings(
        lag_time=1.0,
        dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0),
        bead_size=BeadSizeSettings(network=HEAD),
    )
    model = random_model(given, [atoms], mapping)
    inputs = inputs_of(model, atoms, mapping, cell)
    n = inputs.n_beads
    rng = np.random.default_rng(0)
    drawn = (torch.from_numpy(rng.uniform(0.0, 15.0, size=shape)).float() for shape in ((n, 2, 3), (n, 3), (n,)))
    unknown = Approaches(torch.zeros(3, 3), torch.zeros(1, 3, 3))
    module = TrainingModule(model, TrainingSettings(augment_rotations=True), [inputs], [], unknown)
    window = module._window(collate([(0, *drawn)]), [inputs])
    turned = module._augment(window, torch.Generator().manual_seed(0))
    assert (turned.sizes.positions - window.sizes.positions).abs().max() > 1.0
    torch.testing.assert_close(turned.sizes.positions.norm(dim=-1), window.sizes.positions.norm(dim=-1))
    sizes = [model.bead_size(w.batch, w.sizes.positions) for w in (window, turned)]
    torch.testing.assert_close(sizes[1], sizes[0], rtol=1e-4, atol=1e-5)  # float32 through a network


def test_everything_else_is_trained_to_the_same_bits_with_and_without_head(tmp_path):
    """Also where gradients are clipped: those of the head do not count for the others."""
    path = dumbbell_store(tmp_path / "a.h5", 30, 1.0, seed=0)
    for head in (False, True):
        given = plan([path], head=head, gradient_clip=0.05, history_noise=HistoryNoise(largest=0.1))
        fit(given, tmp_path / str(head), resume=False)
    without, with_head = (load_file(tmp_path / str(head) / "model/model.safetensors") for head in (False, True))
    assert set(without) == {name for name in with_head if not name.startswith("bead_size")}
    for name, value in without.items():
        assert torch.equal(value, with_head[name]), name
    start = random_model(plan([path]).model, [bead_spring(4, type_names=("1",))], PAIRS).bead_size
    readout = [v for n, v in with_head.items() if n.startswith("bead_size.readout") and v.any()]
    assert len(readout) == len(list(start.readout.parameters()))  # the last layer began at zero
    heads = [(tmp_path / str(head) / "metrics.csv").read_text().splitlines()[0] for head in (False, True)]
    assert "size" not in heads[0]
    assert {"train/size", "validation/size"} <= set(heads[1].split(","))


def test_beads_without_sizes_are_refused_before_any_work(tmp_path):
    atoms = dumbbell_store(tmp_path / "atoms.h5", 20, 1.0, seed=0)
    for name, sizes in (("plain", False), ("sized", True)):
        write_beads(open_beads(atoms, PAIRS), tmp_path / f"{name}.h5", 0.0, np.inf, None, sizes=sizes)
    with pytest.raises(InputError) as error:
        fit(plan([tmp_path / "plain.h5"]), tmp_path / "run", resume=False)
    assert str(error.value) == (
        f"{tmp_path / 'plain.h5'}: holds beads without their sizes, which model.bead_size learns; train on stores of "
        "atoms, or of beads made with 'cgsim map --sizes'"
    )
    assert not (tmp_path / "run").exists()
    trained = [fit(plan([p]), tmp_path / p.stem, resume=False) for p in (atoms, tmp_path / "sized.h5")]
    one, other = (m.model.state_dict() for m in trained)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_infinite_range_of_the_head_is_refused_in_a_cell(tmp_path):
    system, atoms = dumbbells(20, 1.0, seed=0)
    write_store(tmp_path / "box.h5", trajectory_of(system, atoms, 50.0 * np.eye(3), 1.0))
    wanted = plan([tmp_path / "box.h5"]).model
    wanted = wanted.model_copy(
        update={"dynamics": DynamicsSettings(network=NETWORK, cutoff=6.0),
                "bead_size": BeadSizeSettings(network=HEAD, cutoff=math.inf)}
    )  # fmt: skip
    assert wanted.needs_open_boundaries
    with pytest.raises(InputError, match=r"box.h5: has a periodic cell, so model.bead_size.cutoff must be finite"):
        load(Source(tmp_path / "box.h5", 0.0, math.inf), PAIRS, wanted)
    same = Source(tmp_path / "box.h5", 0.0, math.inf)
    assert load(same, PAIRS, wanted.model_copy(update={"bead_size": BeadSizeSettings()})).trajectory.n_frames == 20
