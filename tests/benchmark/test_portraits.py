"""Portraits: what they say of motion whose law is known, and that equal things have no distance."""

from pathlib import Path

import numpy as np
import pytest
from systems import OPEN, bead_spring, electrolyte, rouse_motion, shaking_molecules, trajectory_of

from cgsim.benchmark.chain.metrics import chain_metrics
from cgsim.benchmark.chain.portrait import chain_portrait
from cgsim.benchmark.distances import histogram, total_variation
from cgsim.benchmark.electrolyte.contacts import contact_relaxation
from cgsim.benchmark.electrolyte.metrics import electrolyte_metrics, rdf_difference
from cgsim.benchmark.electrolyte.portrait import electrolyte_portrait
from cgsim.benchmark.portrait import Portrait
from cgsim.benchmark.scoring import Scored, score
from cgsim.mapping import MappingSettings, partition
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore

pytestmark = pytest.mark.slow  # whole analyses

N_BEADS, SPRING, INTERVAL, N_FRAMES = 6, 3.0, 1.0, 6000
BOX = 45.0 * np.eye(3)


@pytest.fixture(scope="module")
def chain():
    return rouse_motion(N_BEADS, N_FRAMES, spring=SPRING, interval=INTERVAL, seed=0)


def chain_trajectory(motion):
    return trajectory_of(bead_spring(N_BEADS), motion, OPEN, INTERVAL)


def all_scores(metrics, reference, predicted):
    rows = score(Scored("t", "m", {"s": reference}, [{"s": predicted}], 0), metrics, ())
    return {row.metric: row.value for row in rows if row.system == "all"}


def test_a_rouse_chain_has_the_size_the_bonds_and_the_diffusion_of_theory(chain):
    portrait = chain_portrait(chain_trajectory(chain), INTERVAL, None)
    # <Rg^2> = b^2 (N^2 - 1) / (6 N) with b^2 = 3 kT / spring (Rubinstein and Colby, eq. 2.56 for discrete beads).
    size = portrait.value("rg2")
    assert size.value == pytest.approx((3 / SPRING) * (N_BEADS**2 - 1) / (6 * N_BEADS), abs=4 * size.standard_error)
    diffusion = portrait.value("com_diffusion")
    assert diffusion.value == pytest.approx(1 / N_BEADS, abs=4 * diffusion.standard_error)
    # Bond lengths are Maxwell distributed with variance 1/spring along an axis: mean sqrt(8 / (pi spring)).
    bond = portrait.value("bond_mean")
    assert bond.value == pytest.approx(np.sqrt(8 / (np.pi * SPRING)), abs=4 * bond.standard_error)
    spread = portrait.value("bond_std")
    assert spread.value == pytest.approx(np.sqrt((3 - 8 / np.pi) / SPRING), abs=4 * spread.standard_error)


def test_a_trajectory_compared_with_itself_has_no_distance(chain):
    reference = chain_portrait(chain_trajectory(chain), INTERVAL, None)
    again = chain_portrait(chain_trajectory(chain), INTERVAL, reference)
    found = all_scores(chain_metrics({}), reference, again)
    assert found["rg2_mae"] == found["rg_emd"] == found["bond_histogram_distance"] == 0.0
    assert found["relaxation_log10_ratio"] == 0.0
    assert found["com_diffusion_ratio"] == found["bond_mean_ratio"] == found["bond_std_ratio"] == 1.0
    assert found["stability"] == 1.0


def test_a_chain_scaled_by_a_tenth_is_off_by_that_everywhere(chain):
    reference = chain_portrait(chain_trajectory(chain), INTERVAL, None)
    scaled = chain_portrait(chain_trajectory(1.1 * chain), INTERVAL, reference)
    found = all_scores(chain_metrics({}), reference, scaled)
    assert found["bond_mean_ratio"] == pytest.approx(1.1, rel=1e-5)  # positions are float32
    assert found["bond_std_ratio"] == pytest.approx(1.1, rel=1e-5)
    assert found["com_diffusion_ratio"] == pytest.approx(1.21, rel=1e-4)
    assert found["rg2_mae"] == pytest.approx(0.21 * reference.value("rg2").value, rel=1e-4)
    assert found["relaxation_log10_ratio"] == pytest.approx(0.0, abs=1e-5)
    assert found["rg_emd"] == pytest.approx(0.1 * reference.arrays["samples/rg"].mean(), rel=1e-4)


def test_a_torn_bond_and_a_collapse_are_not_stable(chain):
    reference = chain_portrait(chain_trajectory(chain), INTERVAL, None)
    torn = chain.copy()
    torn[-10:, -1] += 50.0
    centre = chain.mean(axis=1, keepdims=True)
    collapsed = np.concatenate([chain[:-10], (centre + 0.05 * (chain - centre))[-10:]])
    for motion in (torn, collapsed, chain[:10]):
        found = chain_portrait(chain_trajectory(motion), INTERVAL, reference)
        assert found.value("stability").value == 0.0


def test_relaxation_is_seen_as_often_as_in_the_reference(chain):
    slow = chain_portrait(chain_trajectory(chain)[::4], INTERVAL, None)
    fine = chain_portrait(chain_trajectory(chain), INTERVAL, slow)
    # The same frames, but about the mean of four times as many.
    assert fine.value("relaxation_time").value == pytest.approx(slow.value("relaxation_time").value, rel=0.05)


def test_histograms_are_as_far_apart_as_what_they_do_not_share():
    edges = np.linspace(0.0, 1.0, 11)
    inside, outside = histogram(np.full(10, 0.55), edges), histogram(np.full(10, 7.0), edges)
    assert inside.sum() == outside.sum() == 1.0
    assert total_variation(inside, outside) == 1.0
    assert total_variation(inside, inside) == 0.0
    assert total_variation(np.array([[0.5, 0.5]]), np.array([[0.5], [0.5]])) == 0.5


@pytest.fixture(scope="module")
def salty():
    """A bead trajectory in which every molecule diffuses freely and rattles a little."""
    atoms = electrolyte(4, 4, 16)
    mapping = partition(atoms, MappingSettings())
    motion = shaking_molecules(atoms, BOX, 300, drift=0.5, rattle=0.05, seed=1)
    return trajectory_of(mapping.bead_system(atoms), mapping.map_positions(motion), BOX, 2.0)


@pytest.fixture(scope="module")
def reference(salty):
    return electrolyte_portrait(salty, 10.0, None)


def test_free_ions_have_the_diffusion_coefficient_that_they_were_given(salty, reference):
    portrait = reference
    # Steps of 0.5 every 2 ps: D = 0.25 / (2 * 2) Å^2/ps = 6.25e-6 cm^2/s, less the share that goes with the box.
    share = 1.0 - salty.system.masses[salty.system.type_names.index("Li")] / salty.system.masses.sum()
    for role in ("li", "anion"):
        found = portrait.value(f"d_{role}")
        assert found.value == pytest.approx(6.25e-6 * share, abs=4 * found.standard_error)
        assert found.standard_error < 0.4 * found.value
    assert np.isnan(portrait.value("msd400_li").value)  # 600 ps do not say what happens in 400


def test_an_electrolyte_compared_with_itself_has_no_distance(salty, reference):
    again = electrolyte_portrait(salty, 10.0, reference)
    found = all_scores(electrolyte_metrics({"s": reference}), reference, again)
    zero = [m for m in found if m.endswith(("_mae", "_ratio", "_distance")) or m.startswith("rdf_mad")]
    for metric in zero:
        wanted = 1.0 if metric.endswith("_ratio") and "log10" not in metric else 0.0
        assert found[metric] == pytest.approx(wanted, abs=1e-12), metric
    assert found["closest_ion_pair"] == found["stability"] == 1.0
    assert found["overlaps_per_step"] == again.value("overlaps_per_step").value
    assert {"log10_d_li_mae", "log10_d_anion_mae", "rdf_mad", "conductivity_log10_ratio"} <= found.keys()


def test_an_rdf_that_is_off_by_a_tenth_everywhere_is_off_by_a_tenth():
    edges = np.arange(101) * 0.1
    g = np.ones(100)
    arrays = {"rdf_edges": edges, "rdf/Li-Li": g, "minimum/Li-Li": np.array([3.0])}
    reference = Portrait({}, arrays)
    off = g.copy()
    off[:60] += 0.1  # up to twice the first minimum; what lies beyond does not count
    off[60:] += 5.0
    assert rdf_difference(Portrait({}, {"rdf/Li-Li": off}), reference, "Li-Li") == pytest.approx(0.1)
    assert np.isnan(rdf_difference(Portrait({}, {}), reference, "Li-Li"))


def test_ions_that_come_half_as_near_are_named_by_their_ratio(reference):
    pair = next(key for key in reference.arrays if key.startswith("closest/"))
    nearer = Portrait(reference.values, {**reference.arrays, pair: 0.5 * reference.arrays[pair]})
    found = all_scores(electrolyte_metrics({"s": reference}), reference, nearer)
    assert found["closest_ion_pair"] == pytest.approx(0.5)


def test_contacts_of_a_telegraph_process_relax_at_the_sum_of_its_rates():
    """Partners jump independently between near and far: C(t) = exp(-(on + off) t), 1/e at 1 / (on + off)."""
    rng = np.random.default_rng(3)
    n_frames, n_partners, on, off = 1000, 200, 0.01, 0.04
    near = np.zeros((n_frames, n_partners), dtype=bool)
    near[0] = rng.random(n_partners) < on / (on + off)
    change = rng.random(near.shape)
    for t in range(1, n_frames):
        near[t] = np.where(near[t - 1], change[t] > off, change[t] < on)
    positions = np.zeros((n_frames, 1 + n_partners, 3))
    positions[:, 1:, 0] = np.where(near, 1.0, 5.0)
    trajectory = trajectory_of(bead_spring(1 + n_partners), positions, OPEN, 1.0)
    found, level = contact_relaxation(trajectory, np.arange(1), np.arange(1, 1 + n_partners), 2.0, 1.0, None)
    assert level == pytest.approx(np.exp(-1))
    # Discrete time: the correlation falls by 1 - on - off a step. 1,600 contacts break, so it is known to about 3 %.
    assert found.value == pytest.approx(np.log10(-1.0 / np.log(1.0 - on - off)), abs=0.05)


def test_the_images_that_a_trajectory_begins_in_do_not_matter(salty, reference):
    moved = Trajectory(salty.system, salty.wrapped_positions, salty.image_flags + 3, salty.cell, salty.time)
    found = electrolyte_portrait(moved, 10.0, None)
    for name in ("d_li", "bond_mean", "coordination/Li-TFSI"):
        assert found.value(name).value == pytest.approx(reference.value(name).value, rel=1e-6)


def test_another_start_in_a_smaller_box_is_compared_as_far_as_it_reaches():
    folder = Path(__file__).parents[2] / "data" / "spe-450K" / "test"
    larger, smaller = (TrajectoryStore(folder / f"PVMEE{start}.h5").read()[:60] for start in ("", "-start2"))
    reference = electrolyte_portrait(larger, 32.0, None)
    found = electrolyte_portrait(smaller, 32.0, reference)
    assert len(found.arrays["rdf/Li-TFSI"]) == len(reference.arrays["rdf/Li-TFSI"]) - 1
    assert 0.0 < rdf_difference(found, reference, "polymer-polymer") < 0.1
