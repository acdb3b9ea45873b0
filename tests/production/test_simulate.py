"""What a rollout is: its names, its first frame, its seeds, and the documents that come with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_rollouts import CELL, MAPPING, NETWORK, settings, silent
from systems import electrolyte, shaking_molecules, trained_model, trajectory_of

from cgsim.beads import open_beads
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.model import ModelSettings
from cgsim.production import simulate
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore, write_store


def test_rollouts_are_named_by_start_and_replica(whole):
    names = ["out-box-0-r0.h5", "out-box-0-r1.h5", "out-box-1-r0.h5", "out-box-1-r1.h5"]
    assert [path.name for path in whole] == names
    assert sorted(p.name for p in whole[0].parent.iterdir()) == names


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
