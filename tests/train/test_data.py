import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import (
    LITHIUM,
    OPEN,
    TFSI,
    TRICLINIC,
    bead_spring,
    electrolyte,
    electrolyte_store,
    glyme,
    join,
    molecule,
    rouse_motion,
    rouse_store,
    shaking_molecules,
    trajectory_of,
)

from cgsim.errors import InputError
from cgsim.geometry.neighbors import neighbor_pairs
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.model import ModelSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.simulate.stability import LEAST_ALIKE
from cgsim.train.data import Windows, load_training_set
from cgsim.train.source import Source, load
from cgsim.trajectory.store import write_store

ONE_TO_ONE = MappingSettings(atoms_per_bead=1)
MAPPING = MappingSettings()


def settings(lag_time: float, offsets: tuple[int, ...] = (0, 1), cutoff: float = math.inf) -> ModelSettings:
    return ModelSettings(lag_time=lag_time, history_offsets=offsets, dynamics=DynamicsSettings(cutoff=cutoff))


def whole(path: Path) -> Source:
    return Source(path, 0.0, math.inf)


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Path:
    """A Rouse chain of 4 beads, 41 frames, 0.1 tau apart."""
    return rouse_store(tmp_path_factory.mktemp("data") / "chain.h5", 4, 41)


@pytest.fixture(scope="module")
def box(tmp_path_factory) -> Path:
    """Atoms of an electrolyte in a triclinic cell, 30 frames, 2 ps apart."""
    return electrolyte_store(tmp_path_factory.mktemp("data") / "box.h5", 30, cell=2.0 * TRICLINIC)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (settings(0.25), "lag_time 0.25 tau is not a multiple of the save interval 0.1 tau"),
        (settings(0.05), "lag_time 0.05 tau is not a multiple of the save interval 0.1 tau"),
        (
            settings(0.5, (0, 1, 8)),
            "a history of 8 lags of 0.5 tau and the step after it need 46 frames, the trajectory has 41: "
            "use a shorter history or lag",
        ),
        (
            settings(4.1, (0,)),
            "a history of 0 lags of 4.1 tau and the step after it need 42 frames, the trajectory has 41: "
            "use a shorter history or lag",
        ),
    ],
    ids=["no multiple", "below the interval", "history too long", "lag too long"],
)
def test_settings_that_a_trajectory_cannot_give_are_refused(chain, wanted, message):
    with pytest.raises(InputError) as error:
        load(whole(chain), ONE_TO_ONE, wanted)
    assert str(error.value) == f"{chain}: {message}"


def test_longest_possible_history_leaves_one_window(chain):
    data = load(whole(chain), ONE_TO_ONE, settings(0.5, (0, 7)))
    assert len(Windows([data], settings(0.5, (0, 7)))) == 1


def test_periodic_system_needs_a_finite_cutoff(box):
    with pytest.raises(InputError) as error:
        load(whole(box), MAPPING, settings(2.0))
    assert str(error.value) == f"{box}: has a periodic cell, so model.dynamics.cutoff must be finite, got infinity"
    refined = settings(2.0, cutoff=6.0).model_copy(update={"refiner": RefinerSettings()})
    with pytest.raises(InputError) as error:
        load(whole(box), MAPPING, refined)
    assert str(error.value) == f"{box}: has a periodic cell, so model.refiner.cutoff must be finite, got infinity"


def test_cell_that_changes_is_refused(tmp_path):
    system = electrolyte(1, 4, 1)
    motion = shaking_molecules(system, 2 * TRICLINIC, 5, drift=0.1, rattle=0.1, seed=0)
    trajectory = trajectory_of(system, motion, 2.0 * TRICLINIC, 1.0)
    growing = replace(trajectory, cell=trajectory.cell * np.linspace(1.0, 1.1, 5)[:, None, None])
    write_store(tmp_path / "npt.h5", growing)
    with pytest.raises(InputError) as error:
        load(whole(tmp_path / "npt.h5"), MAPPING, settings(1.0, cutoff=6.0))
    assert str(error.value) == (
        f"{tmp_path / 'npt.h5'}: the cell changes by 2.8 Angstrom along the trajectory; "
        "train on runs at constant volume"
    )


def test_frames_outside_begin_and_end_are_not_seen(chain):
    data = load(Source(chain, 1.0, 3.0), ONE_TO_ONE, settings(0.2))
    assert data.trajectory.time[[0, -1]] == pytest.approx([1.0, 3.0])
    assert data.stride == 2
    with pytest.raises(InputError) as error:
        load(Source(chain, 5.0, 9.0), ONE_TO_ONE, settings(0.2))
    assert str(error.value) == f"{chain}: no frame between 5 and 9 tau; the file is 4 tau long"


def test_stores_in_different_units_are_refused(chain, box):
    with pytest.raises(InputError) as error:
        load_training_set([whole(chain), whole(box)], [], MAPPING, settings(2.0, (0,), cutoff=6.0))
    assert str(error.value) == f"{box}: is in molecular units, {chain} in lj"


def test_validation_system_of_unknown_chemistry_is_refused_before_training(tmp_path, box):
    other = molecule(glyme(3).replace("O", "S"))
    motion = shaking_molecules(other, 2 * TRICLINIC, 6, drift=0.1, rattle=0.1, seed=0)
    write_store(tmp_path / "sulfur.h5", trajectory_of(other, motion, 2.0 * TRICLINIC, 2.0))
    with pytest.raises(InputError, match=r"sulfur.h5: .* is unknown to the model"):
        load_training_set([whole(box)], [whole(tmp_path / "sulfur.h5")], MAPPING, settings(2.0, (0,), cutoff=6.0))


@pytest.mark.parametrize("name", ["chain", "box"])
def test_windows_are_the_unwrapped_track_relative_to_the_present(name, request):
    path = request.getfixturevalue(name)
    wanted = settings(0.3 if name == "chain" else 6.0, (0, 1, 3), cutoff=6.0)
    data = load(whole(path), ONE_TO_ONE if name == "chain" else MAPPING, wanted)
    windows = Windows([data, data], wanted)
    frames = data.frames(wanted)
    assert (frames[0], frames[-1]) == (9, data.trajectory.n_frames - 1 - 3)
    assert len(windows) == 2 * len(frames)
    track = data.trajectory.unwrapped_positions
    for place in (0, len(frames) - 1, len(frames), 2 * len(frames) - 1):
        which, history, displacement = windows[place]
        assert which == place // len(frames)
        frame = frames[place % len(frames)]
        relative = np.stack([track[frame - o * 3] - track[frame] for o in (3, 1, 0)], axis=1)
        present = history[:, -1]
        # float32 positions of order 30.
        np.testing.assert_allclose((history - present[:, None]).numpy(), relative, atol=1e-5)
        np.testing.assert_allclose(displacement.numpy(), track[frame + 3] - track[frame], atol=1e-5)
        assert torch.equal(present, torch.from_numpy(data.trajectory.wrapped_positions[frame]))


@pytest.mark.parametrize("name", ["chain", "box"])
def test_windows_both_ways_are_those_of_the_path_and_of_the_path_played_backwards(name, request):
    path = request.getfixturevalue(name)
    wanted = settings(0.3 if name == "chain" else 6.0, (0, 1), cutoff=6.0)
    data = load(whole(path), ONE_TO_ONE if name == "chain" else MAPPING, wanted)
    windows, n = Windows([data], wanted, both_ways=True), len(data.frames(wanted))
    assert len(windows) == 2 * n
    track, last = data.trajectory.unwrapped_positions, data.trajectory.n_frames - 1
    for place in (0, n - 1):
        assert windows[place][0] == windows[n + place][0] == 0
        frame = last - data.frames(wanted)[place]  # counted from the end
        _, history, displacement = windows[n + place]
        # float32 positions of order 30.
        np.testing.assert_allclose(displacement, track[frame - 3] - track[frame], atol=1e-5)
        np.testing.assert_allclose(history[:, 0] - history[:, 1], track[frame + 3] - track[frame], atol=1e-5)


def test_scales_of_a_known_process(tmp_path):
    """Free beads: every displacement over one lag has the variance 2 D lag, whatever the class; bonds have spread 1."""
    n, n_frames, interval = 30, 400, 0.1
    motion = rouse_motion(2, n_frames, spring=4.0, interval=interval, n_chains=n, seed=0)
    system = bead_spring(2, n)
    heavy = replace(system, masses=np.tile([1.0, 3.0], n))
    write_store(tmp_path / "a.h5", trajectory_of(heavy, motion, OPEN, interval))
    wanted = settings(0.2, (0, 1, 3), cutoff=5.0)
    data = load_training_set([whole(tmp_path / "a.h5")], [], ONE_TO_ONE, wanted)
    scales = data.scales
    assert scales.class_names == ("polymer",)
    steps = motion[2:] - motion[:-2]
    # Windows are a subset of all frames: 60 beads x 200 windows x 3 numbers, correlated over 2 or 3 frames.
    assert scales.displacement[0] == pytest.approx(steps.std(), rel=0.02)
    longer = motion[4:] - motion[:-4]
    assert scales.history[0] == pytest.approx([longer.std(), steps.std()], rel=0.02)
    assert scales.mass == (2.0,)
    bonds = np.linalg.norm(motion[:, 0::2] - motion[:, 1::2], axis=-1)
    assert scales.length == pytest.approx(bonds.mean(), rel=0.02)
    assert scales.radial_range == 5.0
    assert data.trained.longest_bond <= bonds.max() + 1e-5
    assert data.trained.longest_bond > np.quantile(bonds, 0.999)


def test_ranges_are_those_of_brute_force(box):
    wanted = settings(2.0, (0,), cutoff=7.0)
    data = load_training_set([whole(box)], [], MAPPING, wanted)
    trajectory = data.train[0].trajectory
    names = data.scales.class_names
    closest = {(a, b): math.inf for a in names for b in names}
    degrees = []
    kind = [trajectory.system.type_names[t] for t in trajectory.system.particle_type]
    for frame in data.train[0].frames(wanted):
        positions = torch.from_numpy(trajectory.wrapped_positions[frame]).double()
        pairs = neighbor_pairs(positions, (len(positions),), torch.from_numpy(trajectory.cell[:1]), 7.0)
        lengths = (positions[pairs.sender] + pairs.shifts - positions[pairs.receiver]).norm(dim=-1).tolist()
        for i, j, length in zip(pairs.receiver.tolist(), pairs.sender.tolist(), lengths, strict=True):
            closest[kind[i], kind[j]] = min(closest[kind[i], kind[j]], length)
        degrees.append(len(lengths) / len(positions))
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            expected = closest[a, b] if math.isfinite(closest[a, b]) else 0.0
            assert data.trained.closest_pair[i][j] == pytest.approx(expected)
    assert data.scales.mean_degree == pytest.approx(np.mean(degrees))


def test_rollouts_are_kept_in_the_range_of_the_systems_with_the_same_kinds_of_atoms(tmp_path):
    boxes = [electrolyte_store(tmp_path / f"{k}.h5", 6, cell=2.0 * TRICLINIC, seed=k) for k in range(LEAST_ALIKE)]
    amine = join([molecule("CN(C)CCOC"), *[molecule(LITHIUM)] * 9, *[molecule(TFSI)] * 9])
    motion = shaking_molecules(amine, 0.6 * TRICLINIC, 6, drift=0.3, rattle=0.1, seed=0)
    write_store(tmp_path / "amine.h5", trajectory_of(amine, motion, 0.6 * TRICLINIC, 2.0))
    data = load_training_set([whole(tmp_path / "amine.h5"), *map(whole, boxes)], [], MAPPING, settings(2.0, (0,), 7.0))
    assert [system.file for system in data.systems] == ["amine.h5", *(path.name for path in boxes)]
    lithium, anion = map(data.scales.class_names.index, ("Li", "TFSI"))
    strange, *ethers = [system.trained.closest_pair[lithium][anion] for system in data.systems]
    seen = min(closest for closest in ethers if closest > 0.0)  # in some of these boxes they never meet
    assert strange < seen
    own, other, another = data.ranges([0, 1, 5])
    assert own == data.trained
    assert other == another
    assert other.closest_pair[lithium][anion] == seen
    assert other.longest_bond == data.trained.longest_bond


def test_drift_of_the_whole_box_enters_no_scale(tmp_path):
    system = electrolyte(1, 4, 2)
    cell = 2.0 * TRICLINIC
    motion = shaking_molecules(system, cell, 40, drift=0.3, rattle=0.1, seed=0)
    measured = []
    for speed in (0.0, 5.0):
        path = tmp_path / f"{speed}.h5"
        flying = motion + speed * np.arange(40)[:, None, None] * np.array([1.0, -0.5, 0.2])
        write_store(path, trajectory_of(system, flying, cell, 1.0))
        measured.append(load_training_set([whole(path)], [], MAPPING, settings(1.0, cutoff=6.0)).scales)
    assert measured[1].displacement == pytest.approx(measured[0].displacement, rel=1e-3)
    np.testing.assert_allclose(measured[1].history, measured[0].history, rtol=1e-3)


@pytest.mark.parametrize("cutoff", [math.inf, 3.0])
def test_system_of_one_bead_has_finite_scales(tmp_path, cutoff):
    atoms = molecule("[Li+]")
    motion = np.cumsum(np.random.default_rng(0).normal(scale=0.5, size=(50, 1, 3)), axis=0)
    write_store(tmp_path / "ion.h5", trajectory_of(atoms, motion, OPEN, 1.0))
    data = load_training_set([whole(tmp_path / "ion.h5")], [], MAPPING, settings(1.0, cutoff=cutoff))
    for value in (data.scales.length, data.scales.radial_range, data.scales.displacement[0], data.scales.mass[0]):
        assert math.isfinite(value)
        assert value > 0.0
    assert data.scales.mean_degree == 0.0
    assert data.trained.longest_bond == 0.0
    assert data.trained.closest_pair == ((0.0,),)


def test_bead_that_never_moves_has_a_scale_that_can_be_divided_by(tmp_path):
    motion = np.zeros((20, 2, 3))
    motion[:, 1, 0] = 1.0
    write_store(tmp_path / "still.h5", trajectory_of(bead_spring(2), motion, OPEN, 1.0))
    scales = load_training_set([whole(tmp_path / "still.h5")], [], ONE_TO_ONE, settings(1.0)).scales
    assert scales.displacement == (1.0,)
    assert scales.history == ((1.0,),)
    assert scales.length == 1.0
