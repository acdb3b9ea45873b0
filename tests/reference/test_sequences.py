"""Laws of sequences and of the chains that they describe."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import csgraph

from cgsim.errors import InputError
from cgsim.reference.sequences import (
    MOTIF_UNITS,
    UNIT_BEADS,
    UNITS,
    Chain,
    chain_system,
    count_beads,
    fill,
    order_alternating,
)
from cgsim.reference.settings import FAMILY_ORDERS, ChainSettings, draw_chains

CONFIGS, DATA = Path("configs/generate"), Path("data")
sequences = st.text(alphabet=UNITS, min_size=1, max_size=60)


@given(sequences)
def test_every_chain_is_one_tree(sequence):
    system = chain_system(sequence)
    n = system.n_particles
    assert n == count_beads(sequence)
    assert system.bond_index.shape[1] == n - 1
    graph = sparse.csr_array((np.ones(n - 1), tuple(system.bond_index)), shape=(n, n))
    assert csgraph.connected_components(graph, directed=False)[0] == 1
    assert (system.bond_index[0] < system.bond_index[1]).all()


@given(sequences)
def test_side_beads_are_ends_and_the_backbone_is_as_long_as_the_sequence(sequence):
    system = chain_system(sequence)
    side = np.concatenate([np.arange(len(UNIT_BEADS[unit])) > 0 for unit in sequence])
    assert (system.degree[side] == 1).all()
    assert np.count_nonzero(~side) == len(sequence)


@given(st.text(alphabet=UNITS, min_size=1, max_size=12), st.integers(1, 80))
def test_a_filled_chain_has_exactly_the_beads_asked_for_and_repeats_its_motif(motif, n_beads):
    sequence = fill(motif, n_beads)
    assert count_beads(sequence) == n_beads
    whole = len(sequence) - len(UNIT_BEADS["D"]) + 1  # only the last units may have been cut
    assert all(sequence[i] == motif[i % len(motif)] for i in range(max(0, whole)))


@given(st.integers(1, 1000), st.integers(20, 120))
def test_a_family_has_one_composition_and_as_many_orders_as_chains(seed, n_beads):
    chains = draw_chains(ChainSettings(chains={"family": len(FAMILY_ORDERS)}, n_beads=n_beads, seed=seed))
    assert {c.n_beads for c in chains} == {n_beads}
    compositions = [Counter(c.sequence) for c in chains]
    assert all(c == compositions[0] for c in compositions)
    n_kinds = len(compositions[0])
    switches = {c.name.split("-")[-1]: sum(a != b for a, b in pairwise(c.sequence)) for c in chains}
    assert switches.pop("blocky") == n_kinds - 1 <= min(switches.values())
    assert switches["multiblock"] <= 2 * n_kinds - 1


@given(st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(any))
def test_alternating_units_are_spread_evenly(counts):
    sequence = order_alternating(np.array(counts))
    for unit, number in zip(UNITS, counts, strict=True):
        so_far = np.cumsum([u == unit for u in sequence])
        share = number / len(sequence) * np.arange(1, len(sequence) + 1)
        assert np.abs(so_far - share).max() < len(UNITS)  # in a block of n of two units it would reach n / 2


def test_repeated_chains_are_distinct_repeats_of_ten_units():
    chains = draw_chains(ChainSettings(chains={"repeated": 40}, n_beads=100))
    motifs = set()
    for chain in chains:
        motif = chain.sequence[:MOTIF_UNITS]
        assert len(set(motif)) > 1
        assert chain.sequence == fill(motif, 100)
        motifs.add(min(motif[k:] + motif[:k] for k in range(MOTIF_UNITS)))
    assert len(motifs) == 40


def test_more_chains_leave_the_first_ones_as_they_were():
    few = draw_chains(ChainSettings(chains={"repeated": 5, "random": 3, "family": 4}))
    many = draw_chains(ChainSettings(chains={"random": 6, "repeated": 9, "family": 8}))
    assert set(few) < set(many)


def test_sets_that_skip_what_another_has_share_no_chain():
    first = draw_chains(ChainSettings(chains={"repeated": 30, "random": 4}))
    second = draw_chains(ChainSettings(chains={"repeated": 30, "random": 4}, skip={"repeated": 30, "random": 4}))
    assert not {c.name for c in first} & {c.name for c in second}
    assert not {c.sequence for c in first} & {c.sequence for c in second}


@pytest.mark.parametrize("n_beads", [100, 200])
def test_sets_that_ship_have_the_chains_of_their_settings_and_share_none(n_beads):
    seen: set[str] = set()
    for path in sorted(CONFIGS.glob(f"chains-{n_beads}-*.yaml")):
        chains = draw_chains(ChainSettings(**yaml.safe_load(path.read_text())))
        folder = DATA / f"chains-{n_beads}" / path.stem.removeprefix(f"chains-{n_beads}-")
        if folder.exists():  # one set is only made by who wants it
            assert {store.stem for store in folder.glob("*.h5")} == {chain.name for chain in chains}
        sequences = {chain.sequence for chain in chains}
        assert not sequences & seen
        seen |= sequences
    assert seen


def test_another_seed_gives_other_chains():
    first, second = (draw_chains(ChainSettings(chains={"random": 4}, seed=seed)) for seed in (1, 2))
    assert not {c.sequence for c in first} & {c.sequence for c in second}


def test_an_unknown_unit_is_named():
    with pytest.raises(InputError, match="not 'X'"):
        Chain("odd", "random", "ABX")
