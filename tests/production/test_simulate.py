import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import (
    OPEN,
    TRICLINIC,
    bead_spring,
    electrolyte,
    electrolyte_store,
    glyme,
    molecule,
    rouse_store,
    shaking_molecules,
    trained_model,
    trajectory_of,
)

from cgsim.beads import open_beads
from cgsim.checkpoint import TrainedModel
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.production import ProductionSettings, Progress, simulate
from cgsim.production import run as module
from cgsim.production.segments import SegmentFolder
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import HealthSettings, TrainingRange
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore, write_store

MAPPING = MappingSettings()
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
CELL = 2.0 * TRICLINIC


def silent(_: Progress) -> None:
    """Report nothing."""


def stop_after(step: int):
    """Ctrl-C after so many steps."""

    def report(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return report


def assert_same_rollout(one: Path, other: Path) -> None:
    a, b = TrajectoryStore(one), TrajectoryStore(other)
    first, second = a.read(), b.read()
    for name in ("wrapped_positions", "image_flags", "cell", "time"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    timings = {"seconds", "time_per_day"}
    verdicts = [{k: v for k, v in s.documents["rollout"].items() if k not in timings} for s in (a, b)]
    verdicts = [{**v, "settings": {k: x for k, x in v["settings"].items() if k != "time"}} for v in verdicts]
    assert verdicts[0] == verdicts[1]


@pytest.fixture(scope="module")
def boxes(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("boxes")
    return [electrolyte_store(folder / f"box-{seed}.h5", 8, cell=CELL, seed=seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    settings = ModelSettings(
        lag_time=2.0,
        history_offsets=(0, 1, 3),
        dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0),
        refiner=RefinerSettings(network=NETWORK, cutoff=6.0),
    )
    return trained_model(settings, [electrolyte()], MAPPING)


def settings(model: TrainedModel, n_steps: int, **changes) -> ProductionSettings:
    given = {"time": n_steps * model.card.model.lag_time, "sampler": model.card.sampler, **changes}
    return ProductionSettings.model_validate(given)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, model, boxes) -> list[Path]:
    """Seven steps without interruption: two boxes, two replicas each."""
    output = tmp_path_factory.mktemp("whole") / "out.h5"
    return [r.path for r in simulate(model, boxes, output, settings(model, 7, replicas=2), resume=False, report=silent)]


def test_rollouts_are_named_by_start_and_replica(whole):
    names = ["out-box-0-r0.h5", "out-box-0-r1.h5", "out-box-1-r0.h5", "out-box-1-r1.h5"]
    assert [path.name for path in whole] == names
    assert sorted(p.name for p in whole[0].parent.iterdir()) == names


def test_run_interrupted_and_resumed_is_the_run_that_never_stopped(tmp_path, model, boxes, whole):
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=stop_after(3))
    assert [p.name for p in tmp_path.iterdir()] == [".out.partial"]
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    for result, expected in zip(results, whole, strict=True):
        assert_same_rollout(result.path, expected)
    assert not (tmp_path / ".out.partial").exists()


def test_run_killed_between_segments_loses_only_what_was_not_written(tmp_path, model, boxes, whole, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_SECONDS", -1.0)  # a segment every step
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=stop_after(6))
    # What a kill after the third segment would have left, in the middle of writing the fourth.
    folder = SegmentFolder(tmp_path / "out.h5")
    for segment in folder.segments()[3:]:
        segment.rename(segment.with_name("segment.partial"))
    seen = []
    results = simulate(
        model,
        boxes,
        tmp_path / "out.h5",
        settings(model, 7, replicas=2),
        resume=True,
        report=lambda progress: seen.append(progress.step),
    )
    assert seen == [4, 5, 6, 7]
    for result, expected in zip(results, whole, strict=True):
        assert_same_rollout(result.path, expected)


def test_run_killed_before_its_first_segment_begins_again(tmp_path, model, boxes, whole):
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=stop_after(1))
    for segment in SegmentFolder(tmp_path / "out.h5").segments():
        segment.unlink()
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    assert_same_rollout(results[0].path, whole[0])


def test_run_killed_while_its_stores_are_written_is_finished_by_resuming(tmp_path, model, boxes, whole, monkeypatch):
    write, written = module.write_rollout, []

    def killed(*args):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(args)
        return write(*args)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_rollout", killed)
        with pytest.raises(KeyboardInterrupt):
            simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=silent)
    assert len(list(tmp_path.glob("*.h5"))) == 2
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    for result, expected in zip(results, whole, strict=True):
        assert_same_rollout(result.path, expected)


def test_interrupted_run_can_be_prolonged(tmp_path, model, boxes, whole):
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 4, replicas=2), resume=False, report=stop_after(2))
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    assert_same_rollout(results[3].path, whole[3])


def test_replicas_differ_and_seeds_decide(tmp_path, model, boxes, whole):
    first, second = (TrajectoryStore(p).read() for p in whole[:2])
    assert np.array_equal(first.wrapped_positions[0], second.wrapped_positions[0])
    assert not np.array_equal(first.wrapped_positions[1], second.wrapped_positions[1])
    again = simulate(model, boxes, tmp_path / "a.h5", settings(model, 2, replicas=2), resume=False, report=silent)
    other = simulate(
        model, boxes, tmp_path / "b.h5", settings(model, 2, replicas=2, seed=1), resume=False, report=silent
    )
    positions = [TrajectoryStore(r[0].path).read().wrapped_positions for r in (again, other)]
    assert np.array_equal(positions[0], first.wrapped_positions[:3])
    assert not np.array_equal(positions[1], first.wrapped_positions[:3])


def test_rollout_begins_with_its_start_and_says_where_it_comes_from(boxes, whole):
    start, store = TrajectoryStore(boxes[1]), TrajectoryStore(whole[3])
    rollout = store.read()
    assert rollout.time == pytest.approx(2.0 * np.arange(8))
    beads = open_beads(boxes[1], MAPPING)
    last = beads.read(slice(7, 8))
    np.testing.assert_array_equal(rollout.wrapped_positions[0], last.wrapped_positions[0])
    np.testing.assert_array_equal(rollout.image_flags[0], last.image_flags[0])
    np.testing.assert_array_equal(rollout.cell, np.broadcast_to(start.read(slice(0, 1)).cell, (8, 3, 3)))
    document = store.documents["rollout"]
    assert (document["start"], document["replica"], document["start_time"]) == ("box-1.h5", 1, 14.0)
    assert (document["verdict"], document["lag_time"]) == ("healthy", 2.0)
    assert store.atoms.names == start.system.names
    assert open_beads(whole[3], MappingSettings(atoms_per_bead=3)).mapping.hash == beads.mapping.hash


def test_centre_of_mass_of_a_periodic_box_stays_through_a_whole_run(whole):
    store = TrajectoryStore(whole[0])
    moved = store.read().unwrapped_positions
    masses = store.system.masses
    centre = np.average(moved, axis=1, weights=masses)
    assert np.abs(moved[-1] - moved[0]).max() > 1.0
    # Seven steps of float32 rounding of coordinates of order 30.
    np.testing.assert_allclose(centre, np.broadcast_to(centre[0], centre.shape), atol=7 * 30 * 1.2e-7)


def test_rollout_can_start_from_a_rollout(tmp_path, model, whole):
    (result,) = simulate(model, [whole[0]], tmp_path / "on.h5", settings(model, 1), resume=False, report=silent)
    before, after = TrajectoryStore(whole[0]).read(), TrajectoryStore(result.path).read()
    np.testing.assert_array_equal(after.wrapped_positions[0], before.wrapped_positions[-1])
    np.testing.assert_array_equal(after.image_flags[0], before.image_flags[-1])


def test_begin_chooses_the_frame_to_start_from(tmp_path, model, boxes):
    beads = {}
    for begin in (8.0, 0.0):
        output = tmp_path / f"{begin}.h5"
        simulate(model, boxes[:1], output, settings(model, 1, begin=begin), resume=False, report=silent)
        beads[begin] = TrajectoryStore(output).documents["rollout"]["start_time"]
    # A history of three lags is complete at the fourth frame only.
    assert beads == {8.0: 8.0, 0.0: 6.0}


# Broken rollouts ------------------------------------------------------------------------------------------------------


class Marching:
    """Stands for the learned propagator: z is the clock, x says what happens to a chain, and noise comes on top."""

    history_offsets = (0,)

    def __init__(self, *_: object) -> None:
        self.n_guarded = torch.zeros(0, dtype=torch.int64)

    def draw(self, batch, history, generator):
        """Move by one in z; from 3 on tear the chain at x = 200, from 4 on crush that at 100, at 5 lose that at 0."""
        positions = history[:, -1] + torch.tensor([0.0, 0.0, 1.0])
        positions[:, 1] = 1.3 * (torch.arange(len(positions)) % 3)
        positions[:, :2] += 0.01 * torch.randn(len(positions), 2, generator=generator)
        for beads in map(batch.beads_of, range(len(batch.sizes))):
            x, z = positions[beads[0], 0], positions[beads[0], 2]
            if 150 < x < 250 and z > 2.5:
                positions[beads[2], 1] = 9.0
            if 50 < x < 150 and z > 3.5:
                positions[beads[1]] = positions[beads[0]] + 0.01
            if x < 50 and z > 4.5:
                positions[beads[0], 0] = torch.nan
        return positions


@pytest.fixture
def chains(tmp_path, monkeypatch) -> tuple[TrainedModel, list[Path]]:
    """Four chains of three beads, at x = 0, 100, 200 and 300, and a propagator that breaks the first three."""
    monkeypatch.setattr(module, "LearnedPropagator", Marching)
    starts = []
    for place in range(4):
        position = np.zeros((1, 3, 3))
        position[:, :, 0] = 100.0 * place
        position[:, :, 1] = 1.3 * np.arange(3)
        starts.append(tmp_path / f"chain-{place}.h5")
        write_store(starts[-1], trajectory_of(bead_spring(3, type_names=("1",)), position, OPEN, 1.0))
    wanted = ModelSettings(lag_time=1.0, history_offsets=(0,), dynamics=DynamicsSettings(network=NETWORK))
    seen = TrainingRange(longest_bond=2.0, closest_pair=((1.0,),))
    return trained_model(wanted, [bead_spring(3, type_names=("1",))], MappingSettings(atoms_per_bead=1), seen), starts


PATIENT = HealthSettings(patience=2)


def test_each_fault_stops_its_own_rollout_keeps_its_good_frames_and_lets_the_others_go_on(tmp_path, chains):
    model, starts = chains
    wanted = settings(model, 8, health=PATIENT)
    seen = []
    results = simulate(
        model, starts, tmp_path / "out.h5", wanted, resume=False, report=lambda p: seen.append((p.step, p.n_alive))
    )
    # The chain at 200 is torn at steps 3 and 4. Step 5 has no numbers for the chain at 0 and is drawn again without it,
    # so the chain at 100, crushed at steps 4 and 5, has one good verdict only then.
    assert [(r.verdict.verdict, r.n_frames) for r in results] == [
        ("not a number", 1 + 4),
        ("overlap", 1 + 5),
        ("torn bond", 1 + 4),
        ("healthy", 1 + 8),
    ]
    assert results[0].verdict.message == "step 5: a position is not finite"
    assert results[1].verdict.message.startswith(
        "step 5: beads 1 and 2 are 0.0173 sigma apart, never below 1 in training"
    )
    assert results[2].verdict.message.startswith("step 4: bond 2-3 is ")
    assert [(r.verdict.overlap_steps, r.verdict.torn_bond_steps) for r in results] == [(0, 0), (2, 0), (0, 2), (0, 0)]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4), (5, 2), (6, 1), (7, 1), (8, 1)]
    for result in results:
        store = TrajectoryStore(result.path)
        assert store.documents["rollout"]["verdict"] == result.verdict.verdict
        assert store.documents["rollout"]["message"] == result.verdict.message
        trajectory = store.read()
        np.testing.assert_allclose(trajectory.wrapped_positions[:, 0, 2], np.arange(result.n_frames), atol=1e-6)
        assert np.isfinite(trajectory.wrapped_positions).all()


def test_run_with_faults_is_the_same_wherever_it_was_interrupted(tmp_path, chains):
    model, starts = chains
    wanted = settings(model, 7, health=PATIENT)
    whole = simulate(model, starts, tmp_path / "whole.h5", wanted, resume=False, report=silent)
    # One fault in a row; a verdict at this very step; a lost step and another verdict; one system left.
    for stop in (3, 4, 5, 6):
        output = tmp_path / f"{stop}.h5"
        with pytest.raises(KeyboardInterrupt):
            simulate(model, starts, output, wanted, resume=False, report=stop_after(stop))
        parts = simulate(model, starts, output, wanted, resume=True, report=silent)
        for one, other in zip(whole, parts, strict=True):
            assert one.verdict == other.verdict
            assert_same_rollout(one.path, other.path)


def test_run_ends_when_all_are_broken(tmp_path, chains):
    model, starts = chains
    results = simulate(
        model, starts[:3], tmp_path / "out.h5", settings(model, 50, health=PATIENT), resume=False, report=silent
    )
    assert [r.n_frames for r in results] == [5, 6, 5]
    assert not list(tmp_path.glob(".*"))


# Bad input ------------------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, model: TrainedModel, starts: list[Path], wanted: ProductionSettings) -> str:
    with pytest.raises(InputError) as error:
        simulate(model, starts, tmp_path / "out.h5", wanted, resume=False, report=silent)
    assert not (tmp_path / ".out.partial").exists()
    return str(error.value)


def test_outputs_are_never_overwritten(tmp_path, model, boxes):
    (tmp_path / "out.h5").write_text("precious")
    message = refused(tmp_path, model, boxes[:1], settings(model, 1))
    assert message == f"{tmp_path / 'out.h5'}: exists already; choose another output or remove it"
    assert (tmp_path / "out.h5").read_text() == "precious"


def test_missing_folder_is_refused(tmp_path, model, boxes):
    message = refused(tmp_path / "none", model, boxes[:1], settings(model, 1))
    assert message == f"{tmp_path / 'none'}: no such folder"


def test_two_starts_of_one_name_are_refused(tmp_path, model, boxes):
    message = refused(tmp_path, model, [boxes[0], boxes[0]], settings(model, 1))
    assert message == f"{tmp_path / 'out.h5'}: two starts have the same file name; rename one"


def test_resuming_needs_an_interrupted_run_of_the_same_settings(tmp_path, model, boxes):
    output = tmp_path / "out.h5"
    with pytest.raises(InputError) as error:
        simulate(model, boxes[:1], output, settings(model, 2), resume=True, report=silent)
    assert str(error.value) == f"{output}: there is no interrupted run to resume"
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes[:1], output, settings(model, 2), resume=False, report=stop_after(1))
    with pytest.raises(InputError) as error:
        simulate(model, boxes[:1], output, settings(model, 2), resume=False, report=silent)
    assert str(error.value) == (
        f"{output}: an interrupted run is there; add --resume, or remove {tmp_path / '.out.partial'}"
    )
    for changed in ({"seed": 5}, {"sampler": SamplerSettings(n_levels=3)}, {"begin": 6.0}):
        with pytest.raises(InputError) as error:
            simulate(model, boxes[:1], output, settings(model, 2, **changed), resume=True, report=silent)
        assert str(error.value) == (
            f"{tmp_path / '.out.partial'}: was begun with another model, start or settings, so it cannot be resumed"
        )


def test_start_that_does_not_suit_the_model_is_refused(tmp_path, model, boxes):
    short = electrolyte_store(tmp_path / "short.h5", 3, cell=CELL)
    assert refused(tmp_path, model, [short], settings(model, 1)) == (
        f"{short}: the model looks back 3 lags of 2 ps, which needs 4 frames; the file has 3"
    )
    assert refused(tmp_path, model, boxes[:1], settings(model, 1, begin=100.0)) == (
        f"{boxes[0]}: cannot start at 100 ps; the trajectory is 14 ps long"
    )
    odd = electrolyte_store(tmp_path / "odd.h5", 8, cell=CELL, interval=3.0)
    assert refused(tmp_path, model, [odd], settings(model, 1)) == (
        f"{odd}: lag_time 2 ps is not a multiple of the save interval 3 ps"
    )
    reduced = rouse_store(tmp_path / "reduced.h5", 3, 8)
    assert refused(tmp_path, model, [reduced], settings(model, 1)) == (
        f"{reduced}: is in lj units, the model was trained in molecular"
    )
    sulfur = molecule(glyme(6).replace("O", "S"))
    motion = shaking_molecules(sulfur, CELL, 8, drift=0.1, rattle=0.1, seed=0)
    write_store(tmp_path / "sulfur.h5", trajectory_of(sulfur, motion, CELL, 2.0))
    assert refused(tmp_path, model, [tmp_path / "sulfur.h5"], settings(model, 1)).startswith(
        f"{tmp_path / 'sulfur.h5'}: atom type 'S2' (element and number of bonds) is unknown to the model"
    )


def test_model_of_open_systems_refuses_a_periodic_start(tmp_path, boxes):
    wanted = ModelSettings(lag_time=2.0, dynamics=DynamicsSettings(network=NETWORK))
    everything = trained_model(wanted, [electrolyte()], MAPPING)
    assert refused(tmp_path, everything, boxes[:1], settings(everything, 1)) == (
        f"{boxes[0]}: has a periodic cell, but the model was trained on open systems"
    )


def test_single_frame_is_enough_for_a_model_without_history(tmp_path):
    system = electrolyte()
    motion = shaking_molecules(system, CELL, 1, drift=0.0, rattle=0.0, seed=0)
    trajectory: Trajectory = trajectory_of(system, motion, CELL, 1.0)
    write_store(tmp_path / "frame.h5", replace(trajectory, time=np.array([5.0])))
    wanted = ModelSettings(lag_time=2.0, history_offsets=(0,), dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0))
    model = trained_model(wanted, [system], MAPPING)
    (result,) = simulate(
        model, [tmp_path / "frame.h5"], tmp_path / "out.h5", settings(model, 3), resume=False, report=silent
    )
    assert result.n_frames == 4
    assert json.loads(json.dumps(TrajectoryStore(result.path).documents["rollout"]))["start_time"] == 5.0
