"""Pairs of ions that training moves nearer to each other than their MD brings them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import OPEN, TRICLINIC, electrolyte, electrolyte_store, inputs_of, random_model

from cgsim.geometry.periodic import minimum_image
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.inputs import make_batch
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.train.data import load_training_set
from cgsim.train.module import HistoryNoise, TrainingModule, TrainingSettings, collate
from cgsim.train.objectives import Window
from cgsim.train.pushes import Approaches, PushedIons, push_ions
from cgsim.train.source import Source

MAPPING = MappingSettings()
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
SETTINGS = ModelSettings(lag_time=2.0, dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0))
ATOMS = electrolyte(1, 4, 4)
CELL = 2.0 * TRICLINIC
ALWAYS = PushedIons(share=1.0, reach=4.0)
N_GRAPHS = 200
POLYMER, LITHIUM, TFSI = 0, 1, 2


@pytest.fixture(scope="module")
def window() -> Window:
    """Systems of four ion pairs each, anywhere in their cells and beyond, every second one in open space."""
    model = random_model(SETTINGS, [ATOMS], MAPPING)
    assert model.scales.class_names == ("polymer", "Li", "TFSI")
    systems = [inputs_of(model, ATOMS, MAPPING, cell) for cell in (CELL, OPEN)]
    with torch.no_grad():
        batch = make_batch(systems, [0, 1] * (N_GRAPHS // 2), model.embedding)
    rng = np.random.default_rng(0)
    n = len(batch.masses)
    history = rng.uniform(-20.0, 20.0, size=(n, 1, 3)) + rng.normal(size=(n, 2, 3))
    return Window(batch, torch.from_numpy(history).float(), torch.from_numpy(rng.normal(size=(n, 3))).float())


def approaches(*own: float, joint: float = 2.0) -> Approaches:
    """Ions come up to ``joint`` in some system, up to ``own`` in these, in turn; no polymer was seen near anything."""
    of_all = torch.full((3, 3), joint)
    of_all[POLYMER] = of_all[:, POLYMER] = 0.0
    each = torch.tensor(own or (5.0,)).repeat(N_GRAPHS)[:N_GRAPHS, None, None].expand(-1, 3, 3)
    return Approaches(of_all, each)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moved_pairs(given: Window, pushed: Window) -> list[tuple[int, list[int]]]:
    """Systems with moved beads, and which."""
    moved = (pushed.history != given.history).any(dim=-1).any(dim=-1)
    found = [(g, [int(b) for b in given.batch.beads_of(g) if moved[b]]) for g in range(N_GRAPHS)]
    return [(g, beads) for g, beads in found if beads]


def distance(window: Window, beads: list[int]) -> float:
    first, second = window.history[beads, -1].double()
    cell = window.batch.cell[window.batch.graph_index[beads[0]]].double()
    return float(minimum_image((second - first)[None], cell).norm())


def test_one_pair_of_ions_of_a_system_is_put_between_the_two_closest_approaches(window):
    pushed = push_ions(window, approaches(), ALWAYS, generator())
    found = moved_pairs(window, pushed)
    assert len(found) > N_GRAPHS / 2  # most of these boxes have such a pair
    assert any(g % 2 for g, _ in found)
    assert any(g % 2 == 0 for g, _ in found)
    distances, kinds = [], set()
    for _, beads in found:
        assert len(beads) == 2
        kinds.add(tuple(window.batch.bead_class[beads].tolist()))
        assert distance(window, beads) < 5.0 + ALWAYS.reach
        distances.append(distance(pushed, beads))
    assert kinds == {(LITHIUM, LITHIUM), (LITHIUM, TFSI), (TFSI, TFSI)}
    # Single precision of coordinates of order 20.
    assert min(distances) > 2.0 - 1e-4
    assert max(distances) < 5.0 + 1e-4
    place = (torch.tensor(distances).sort().values - 2.0) / 3.0
    # Kolmogorov distance of n uniform numbers stays below 1.95 / sqrt(n) 999 times in 1000.
    assert (place - (torch.arange(len(place)) + 0.5) / len(place)).abs().max() < 1.95 / len(place) ** 0.5


def test_next_positions_and_the_centre_of_mass_stay_and_all_frames_move_alike(window):
    pushed = push_ions(window, approaches(), ALWAYS, generator())
    assert len(moved_pairs(window, pushed)) > N_GRAPHS / 2
    torch.testing.assert_close(
        pushed.history[:, -1] + pushed.displacement, window.history[:, -1] + window.displacement, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(pushed.history.diff(dim=1), window.history.diff(dim=1), atol=1e-5, rtol=0)
    centre = window.batch.centre_of_mass(pushed.history - window.history)
    assert centre.abs().max() < 1e-5


def test_pairs_are_not_pushed_where_the_own_md_brings_them_as_near_as_any(window):
    pushed = push_ions(window, approaches(5.0, 2.0, 2.0), ALWAYS, generator())
    found = {g for g, _ in moved_pairs(window, pushed)}
    assert found
    assert found <= set(range(0, N_GRAPHS, 3))


def test_pairs_beyond_reach_are_left_alone(window):
    found = moved_pairs(window, push_ions(window, approaches(), PushedIons(share=1.0, reach=0.5), generator()))
    assert found
    assert max(distance(window, beads) for _, beads in found) < 5.5


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_share_of_the_windows_is_pushed(window, share):
    possible = len(moved_pairs(window, push_ions(window, approaches(), ALWAYS, generator())))
    some = PushedIons(share=share, reach=ALWAYS.reach)
    counts = [len(moved_pairs(window, push_ions(window, approaches(), some, generator(k)))) for k in range(5)]
    n = 5 * possible
    # Binomial; 4.5 standard deviations.
    assert abs(sum(counts) - share * n) < 4.5 * (n * share * (1.0 - share)) ** 0.5


def test_a_system_without_ions_stays_as_it_is():
    atoms = electrolyte(1, 4, 0)
    model = random_model(SETTINGS, [atoms], MAPPING)
    inputs = inputs_of(model, atoms, MAPPING, CELL)
    with torch.no_grad():
        batch = make_batch([inputs], [0], model.embedding)
    history = torch.rand(inputs.n_beads, 2, 3, generator=generator())
    given = Window(batch, history, torch.zeros(inputs.n_beads, 3))
    pushed = push_ions(given, Approaches(torch.ones(1, 1), torch.full((1, 1, 1), 2.0)), ALWAYS, generator())
    assert torch.equal(pushed.history, history)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("boxes")
    return [electrolyte_store(folder / f"{seed}.h5", 30, cell=CELL, seed=seed) for seed in range(2)]


def test_approaches_are_those_of_each_trajectory_and_of_all(boxes):
    data = load_training_set([Source(path, 0.0, math.inf) for path in boxes], [], MAPPING, SETTINGS)
    found = data.approaches(SETTINGS)
    assert found.of_each.shape == (2, 3, 3)
    together = load_training_set([Source(boxes[1], 0.0, math.inf)], [], MAPPING, SETTINGS).approaches(SETTINGS)
    assert torch.equal(found.of_each[1], together.of_each[0])
    # What never comes nearer than the 6 Å that are searched has these.
    assert found.of_each.max() <= 6.0
    smallest = found.of_each.amin(dim=0)
    torch.testing.assert_close(found.of_all, torch.where(smallest < 6.0, smallest, 0.0))


def test_training_pushes_ions_in_the_share_of_its_windows(boxes, monkeypatch):
    data = load_training_set([Source(path, 0.0, math.inf) for path in boxes], [], MAPPING, SETTINGS)
    model = random_model(SETTINGS, [data.train[0].store.atoms], MAPPING)
    seen = []
    monkeypatch.setattr(TrainingModule, "global_step", 0)
    monkeypatch.setattr(TrainingModule, "log_dict", lambda *_, **__: None)
    augment = TrainingModule._augment
    monkeypatch.setattr(TrainingModule, "_augment", lambda *a: seen.append(a[1]) or augment(*a))
    rng = np.random.default_rng(0)
    n = len(data.train[0].store.mapping.masses)
    windows = [
        (k % 2, *(torch.from_numpy(rng.uniform(0.0, 12.0, size=s)).float() for s in ((n, 2, 3), (n, 3))))
        for k in range(20)
    ]
    # In the second box ions come as near as in any, so that nothing is to be pushed there.
    own = torch.tensor([6.0, 1.0])[:, None, None].expand(2, 3, 3)
    near = replace(data.approaches(SETTINGS), of_all=torch.ones(3, 3), of_each=own)
    for share in (0.0, 1.0):
        settings = TrainingSettings(pushed_ions=PushedIons(share=share), history_noise=HistoryNoise())
        module = TrainingModule(model, settings, data.inputs(data.train), [], near)
        module.training_step(collate(windows), 0)
    unpushed, pushed = seen
    moved = (unpushed.history != pushed.history).flatten(1).any(dim=1)
    assert torch.bincount(pushed.batch.graph_index[moved], minlength=20).tolist() == [2, 0] * 10
