import math
from functools import reduce

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from systems import OPEN

from cgsim.graph import BeadBatch
from cgsim.simulate.stability import LEAST_ALIKE, HealthMonitor, HealthSettings, TrainingRange, range_among

CUBIC = np.eye(3) * 20.0
RANGE = TrainingRange(longest_bond=1.5, closest_pair=((1.0, 2.0), (2.0, 0.0)))  # class 1 was never seen beside itself
IMPATIENT = HealthSettings(bond_stretch=2.0, overlap=0.5, patience=1)


def chains() -> tuple[torch.Tensor, BeadBatch]:
    """Three chains of three beads each, 5 apart: an open one, and two in a periodic cell."""
    positions = torch.zeros(9, 3)
    positions[:, 0] = torch.arange(3).repeat(3)
    batch = BeadBatch(
        sizes=(3, 3, 3),
        bead_class=torch.tensor([0, 0, 1] * 3),
        masses=torch.ones(9),
        bond_index=torch.tensor([[0, 1, 3, 4, 6, 7], [1, 2, 4, 5, 7, 8]]),
        cell=torch.from_numpy(np.stack([OPEN, CUBIC, CUBIC])).float(),
        embedding=torch.zeros(9, 1),
        bond_embedding=torch.zeros(2, 6, 0),
    )
    return positions, batch


def monitor(settings: HealthSettings = IMPATIENT, trained: TrainingRange = RANGE) -> HealthMonitor:
    return HealthMonitor(chains()[1], trained, settings, "sigma")


def test_healthy_configurations_pass():
    positions, _ = chains()
    watch = monitor()
    for step in range(3):
        assert watch.check(positions, step) == {}
    assert watch.in_a_row == [{"overlap": 0, "torn bond": 0}] * 3


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_position_that_is_no_number_stops_its_system_at_once_and_no_other(value):
    positions, _ = chains()
    positions[4, 1] = value
    found = monitor(HealthSettings(patience=10)).check(positions, 17)
    assert list(found) == [1]
    assert found[1].kind == "not a number"
    assert found[1].message == "step 17: a position is not finite"


def test_torn_bond_is_named_by_its_beads_in_their_own_system():
    positions, _ = chains()
    positions[8, 0] = 4.5
    found = monitor().check(positions, 3)
    assert list(found) == [2]
    assert found[2].kind == "torn bond"
    assert found[2].message == "step 3: bond 2-3 is 3.5 sigma long, at most 1.5 in training (1 steps in a row)"


def test_overlap_is_named_by_its_beads_in_their_own_system():
    positions, _ = chains()
    positions[4, 0] = 0.4
    found = monitor().check(positions, 3)
    assert list(found) == [1]
    assert found[1].kind == "overlap"
    assert found[1].message == "step 3: beads 1 and 2 are 0.4 sigma apart, never below 1 in training (1 steps in a row)"


def test_each_pair_of_classes_has_its_own_closest_approach():
    positions, _ = chains()
    positions[1, 0], positions[2, 0] = 0.6, 1.5
    assert monitor().check(positions, 1).keys() == {0}  # classes 0 and 1 at 0.9, closer than half of 2
    positions[2, 0] = 1.7
    assert monitor().check(positions, 1) == {}  # 1.1 is allowed, and so is 0.6 between two beads of class 0


def test_bonds_and_contacts_are_measured_to_the_nearest_image_whatever_the_image_of_the_beads():
    positions, batch = chains()
    positions[3:6, 0] = torch.tensor([19.5, 0.5, 1.5])
    positions[7] += torch.tensor([40.0, -20.0, 0.0])
    assert monitor().check(positions, 1) == {}
    positions[3, 0] = 20.2  # 0.3 from the next bead, across the boundary
    assert monitor().check(positions, 1).keys() == {1}
    assert batch.sizes == (3, 3, 3)


def test_systems_do_not_overlap_with_each_other():
    positions, _ = chains()  # all three lie on top of each other
    assert positions[0].equal(positions[3])
    assert monitor().check(positions, 1) == {}


def test_patience_counts_steps_in_a_row_and_forgives_what_is_repaired():
    good, _ = chains()
    torn = good.clone()
    torn[2, 0] = 9.0
    watch = monitor(HealthSettings(patience=3))
    for step, positions in enumerate([torn, torn, good, torn, torn]):
        assert watch.check(positions, step) == {}
        assert (watch.in_a_row[0]["torn bond"] > 0) == (positions is torn)
    found = watch.check(torn, 5)
    assert found.keys() == {0}
    assert "(3 steps in a row)" in found[0].message


def test_different_faults_are_counted_apart():
    good, _ = chains()
    torn, close = good.clone(), good.clone()
    torn[2, 0] = 9.0
    close[1, 0] = 0.1
    watch = monitor(HealthSettings(patience=2))
    for positions in (torn, close, torn, close):
        assert watch.check(positions, 1) == {}
    assert watch.check(close, 1)[0].kind == "overlap"


def test_system_without_bonds_or_seen_contacts_is_only_asked_for_numbers():
    positions = torch.zeros(2, 3)
    batch = BeadBatch(
        sizes=(2,),
        bead_class=torch.zeros(2, dtype=torch.int64),
        masses=torch.ones(2),
        bond_index=torch.zeros(2, 0, dtype=torch.int64),
        cell=torch.zeros(1, 3, 3),
        embedding=torch.zeros(2, 1),
        bond_embedding=torch.zeros(2, 0, 0),
    )
    watch = HealthMonitor(batch, TrainingRange(longest_bond=0.0, closest_pair=((0.0,),)), IMPATIENT, "sigma")
    assert watch.check(positions, 1) == {}
    assert watch.check(positions / 0.0, 1).keys() == {0}


@pytest.mark.parametrize("wrong", [{"bond_stretch": 1.0}, {"overlap": 0.0}, {"overlap": 1.5}, {"patience": 0}], ids=str)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        HealthSettings(**wrong)


def a_range(*closest: float, longest: float = 4.0) -> TrainingRange:
    """Of two classes: pairs of the first, of both, of the second."""
    a, b, c = closest
    return TrainingRange(longest_bond=longest, closest_pair=((a, b), (b, c)))


ETHERS = [({"C4", "O2"}, a_range(2.0, 3.0, 3.9 + 0.1 * k, longest=3.0 + 0.1 * k)) for k in range(LEAST_ALIKE - 2)]
ESTERS = [({"C4", "O2", "C3", "O1"}, a_range(2.1, 2.8, 3.5))] * 3
AMIDES = [({"C4", "C3", "O1", "N3"}, a_range(1.8, 2.9, 2.5, longest=6.0))] * 3
UREAS = [({"C4", "O2", "C3", "O1", "N3", "H"}, a_range(1.7, 2.7, 2.4))] * 2
ALL = reduce(TrainingRange.joined, (found for _, found in [*ETHERS, *ESTERS, *AMIDES, *UREAS]))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        # Eight ethers are too few: esters, with two kinds of atoms that an ether lacks, come before amides, with three.
        ({"C4", "O2"}, (2.0, 2.8, 3.5)),
        # Esters and ethers are eleven.
        ({"C4", "O2", "C3", "O1"}, (2.0, 2.8, 3.5)),
        # Amides are three; ethers and esters have one kind that an amide lacks, ureas two.
        ({"C4", "C3", "O1", "N3"}, (1.8, 2.8, 2.5)),
        # Ureas alone have a kind that this one lacks.
        ({"C4", "O2", "C3", "O1", "N3"}, (1.8, 2.8, 2.5)),
        ({"C4", "O2", "C3", "O1", "N3", "H"}, (1.7, 2.7, 2.4)),
    ],
    ids=["ether", "ester", "amide", "all kinds but one", "all kinds"],
)
def test_range_is_that_of_the_systems_with_the_fewest_strange_kinds_of_atoms(kinds, expected):
    found = range_among(kinds, [*UREAS, *AMIDES, *ETHERS, *ESTERS], ALL)
    assert found == a_range(*expected, longest=6.0)


def test_ten_systems_alike_are_enough():
    seen = [*AMIDES, *ETHERS, ({"C4"}, a_range(2.5, 2.7, 3.9)), ({"O2"}, a_range(2.5, 3.1, 4.4))]
    whole = reduce(TrainingRange.joined, (found for _, found in seen))
    assert range_among({"C4", "O2"}, seen, whole) == a_range(2.0, 2.7, 3.9, longest=6.0)


def test_few_systems_have_one_range():
    assert range_among({"C4", "O2"}, [*ETHERS[1:], *AMIDES[:1]], ALL) == ALL
    assert range_among({"C4"}, [], ALL) == ALL


def test_classes_that_no_system_alike_has_are_kept_apart_as_in_all():
    alone = [({"C4", "O2"}, a_range(2.0, 0.0, 0.0))] * LEAST_ALIKE
    assert range_among({"C4", "O2"}, [*alone, *AMIDES], ALL) == a_range(2.0, 2.7, 2.4, longest=6.0)
