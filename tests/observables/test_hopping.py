import numpy as np
import pytest
from synthetic_motion import brownian

from cgsim.observables.coordination import ContactRecord
from cgsim.observables.hopping import Hops, cage_hops, coordination_hops, hop_function

CHAINS, GROUPS, SITES = 6, 5, 3  # an ion sits at a group of sites of a chain


def jump_process(
    ions: int, frames: int, within: float, between: float, flicker: float, seed: int
) -> tuple[ContactRecord, int, int]:
    """Ions that jump between groups of sites with these probabilities a frame; each site is missed at times."""
    generator = np.random.default_rng(seed)
    frame, site, first, counts = [], [], [0], [0, 0]
    for _ in range(ions):
        chain, group = generator.integers(CHAINS), generator.integers(GROUPS)
        for t in range(frames):
            draw = generator.random()
            if t and draw < within:
                group = (group + generator.integers(1, GROUPS)) % GROUPS
                counts[0] += 1
            elif t and draw < within + between:
                chain, group = (chain + generator.integers(1, CHAINS)) % CHAINS, generator.integers(GROUPS)
                counts[1] += 1
            seen = np.flatnonzero(generator.random(SITES) >= flicker)
            frame += [t] * len(seen)
            site += (seen + SITES * (group + GROUPS * chain)).tolist()
        first.append(len(frame))
    of_site = np.arange(CHAINS * GROUPS * SITES) // (GROUPS * SITES)
    record = ContactRecord(frames, ions, CHAINS, np.array(first), np.array(frame), np.array(site), of_site)
    return record, counts[0], counts[1]


def test_every_jump_of_a_jump_process_is_counted_as_what_it_is() -> None:
    contacts, within, between = jump_process(10, 800, 0.02, 0.01, 0.0, seed=1)
    hops = coordination_hops(contacts)
    assert (int(hops.within.sum()), int(hops.between.sum())) == (within, between)


def test_rate_and_share_of_a_jump_process_are_covered_by_their_intervals() -> None:
    runs, within, between, covered = 60, 0.02, 0.01, np.zeros(2)
    for seed in range(runs):
        contacts, _, _ = jump_process(10, 250, within, between, 0.0, seed)
        hops = coordination_hops(contacts)
        for k, (estimate, exact) in enumerate(
            ((hops.rate, within + between), (hops.share_between, between / (within + between)))
        ):
            low, high = estimate.interval(0.68)
            covered[k] += low <= exact <= high
    print(f"hop rate and share: 68 % intervals cover {covered / runs} of {runs}")
    assert np.abs(covered / runs - 0.68).max() < 3 * np.sqrt(0.68 * 0.32 / runs)  # binomial at 3 sigma: 18 %


def test_sites_that_flicker_are_no_hops() -> None:
    # Each site is missed in 40 % of the frames: all that were there in a frame are gone in many others.
    contacts, _, _ = jump_process(10, 1000, 0.0, 0.0, 0.4, seed=2)
    assert coordination_hops(contacts).rate.value > 0.05
    assert coordination_hops(contacts, persistence=15).rate.value < 1e-3


def test_hop_out_and_back_within_the_persistence_is_none() -> None:
    frames = np.arange(12)
    site = np.where((frames >= 4) & (frames < 7), 1, 0)
    contacts = ContactRecord(12, 1, 2, np.array([0, 12]), frames, site, np.arange(2))
    assert coordination_hops(contacts, 0).between.tolist() == [2]
    assert coordination_hops(contacts, 2).between.tolist() == [2]
    assert coordination_hops(contacts, 3).between.tolist() == [0]


def test_ion_handed_over_bit_by_bit_has_hopped_to_the_other_chain() -> None:
    shells = [[0, 1, 2], [1, 2, 3], [3, 4], [3, 4, 9, 10], [9, 10, 11], [9, 10, 11]]  # sites from 9 on: second chain
    frame = np.repeat(np.arange(6), [len(s) for s in shells])
    site = np.concatenate(shells)
    contacts = ContactRecord(6, 1, 2, np.array([0, len(site)]), frame, site, np.arange(12) // 9)
    hops = coordination_hops(contacts)
    assert (hops.within.tolist(), hops.between.tolist()) == ([1], [1])


def test_ion_that_never_hops_has_a_rate_of_zero_that_is_not_certain() -> None:
    hops = Hops(np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64), 101)
    assert hops.rate.value == 0
    assert hops.rate.standard_error == pytest.approx(1 / 400)
    assert np.isnan(hops.share_between.value)


def cage_jumps(frames: int, particles: int, rate: float, seed: int) -> tuple[np.ndarray, int]:
    generator = np.random.default_rng(seed)
    jumps = generator.random((frames, particles)) < rate
    jumps[:20] = jumps[-20:] = False
    direction = generator.normal(size=(frames, particles, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    cage = np.cumsum(jumps[..., None] * 3.0 * direction, axis=0)
    return cage + 0.2 * generator.normal(size=cage.shape), int(jumps.sum())


def test_jumps_between_cages_are_counted() -> None:
    motion, jumps = cage_jumps(4000, 20, 0.002, seed=4)
    found = int(cage_hops(motion, 5, 1.5).sum())
    # Two jumps within two windows of 5 frames are seen as one: 2 % at this rate; 3 sigma of that count.
    lost = jumps * 0.002 * 10
    assert abs(jumps - lost - found) < 3 * np.sqrt(lost) + 1


def test_hop_function_is_the_squared_jump_and_vanishes_in_a_cage() -> None:
    path = np.zeros((40, 3))
    path[20:] = [3.0, 0.0, 4.0]
    p = hop_function(path, 5)
    assert p.max() == pytest.approx(25.0)
    assert p.argmax() + 5 == 20
    assert p[0] == p[-1] == 0


def test_hop_function_equals_its_definition() -> None:
    path, half = brownian(30, 1, 1.0, seed=5)[:, 0], 4
    found = hop_function(path, half)
    for k in range(30 - 2 * half + 1):
        before, after = path[k : k + half], path[k + half : k + 2 * half]
        first = np.square(before - after.mean(axis=0)).sum(axis=1).mean()
        second = np.square(after - before.mean(axis=0)).sum(axis=1).mean()
        assert found[k] == pytest.approx(np.sqrt(first * second))


def test_windows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="10 frames, at least 11"):
        cage_hops(np.zeros((10, 1, 3)), 5, 1.0)
    with pytest.raises(ValueError, match="must be positive"):
        cage_hops(np.zeros((30, 1, 3)), 5, 0.0)
