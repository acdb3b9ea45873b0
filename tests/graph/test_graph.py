import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import OPEN, TRICLINIC

from cgsim.geometry.cutoffs import Cutoffs
from cgsim.graph import BeadBatch, Graph, build_graph

CUBIC = np.diag([8.0, 8.0, 8.0])
CELLS = {"open": OPEN, "cubic": CUBIC, "triclinic": TRICLINIC}


def batch_of(sizes: tuple[int, ...], bonds: list[tuple[int, int]], cells: list[np.ndarray]) -> BeadBatch:
    n = sum(sizes)
    return BeadBatch(
        sizes=sizes,
        bead_class=torch.arange(n) % 2,
        masses=torch.linspace(1.0, 5.0, n, dtype=torch.float64),
        bond_index=torch.tensor(bonds, dtype=torch.int64).reshape(-1, 2).T,
        cell=torch.from_numpy(np.stack(cells)),
        embedding=torch.arange(2.0 * n, dtype=torch.float64).view(n, 2),
        bond_embedding=torch.arange(2.0 * len(bonds) * 3, dtype=torch.float64).view(2, len(bonds), 3),
    )


def chain_in(name: str, seed: int, n: int = 8) -> tuple[torch.Tensor, BeadBatch]:
    """A random chain, most of it inside the cell, with bonds of about 3."""
    rng = np.random.default_rng(seed)
    positions = np.cumsum(rng.normal(scale=1.7, size=(n, 3)), axis=0)
    bonds = [(i, i + 1) for i in range(n - 1)]
    return torch.from_numpy(positions), batch_of((n,), bonds, [CELLS[name]])


def edges(graph: Graph, positions: torch.Tensor, names: torch.Tensor | None = None) -> list[tuple[object, ...]]:
    """Sender, receiver, bond label and vector of every edge, in an order that does not depend on how it was found."""
    names = torch.arange(len(positions)) if names is None else names
    ends = names[graph.edge_index].tolist()
    vectors = (np.round(graph.edge_vectors(positions).numpy(), 4) + 0.0).tolist()
    return sorted(zip(*ends, graph.is_bond.tolist(), map(tuple, vectors), strict=True))


SITUATIONS = {"name": st.sampled_from(sorted(CELLS)), "seed": st.integers(0, 2**32 - 1), "cutoff": st.floats(1.0, 9.0)}


@given(**SITUATIONS)
@settings(max_examples=25, deadline=None)
def test_graph_does_not_change_when_everything_is_moved(name, seed, cutoff):
    positions, batch = chain_in(name, seed)
    shift = torch.tensor([123.4, -56.7, 8.9], dtype=torch.float64)
    moved = positions + shift
    assert edges(build_graph(moved, batch, cutoff), moved) == edges(build_graph(positions, batch, cutoff), positions)


@given(**SITUATIONS)
@settings(max_examples=25, deadline=None)
def test_graph_does_not_change_when_beads_are_moved_by_lattice_vectors(name, seed, cutoff):
    positions, batch = chain_in(name, seed)
    images = torch.from_numpy(np.random.default_rng(seed).integers(-5, 6, size=positions.shape)).double()
    moved = positions + images @ batch.cell[0]
    assert edges(build_graph(moved, batch, cutoff), moved) == edges(build_graph(positions, batch, cutoff), positions)


@given(**SITUATIONS)
@settings(max_examples=25, deadline=None)
def test_graph_does_not_depend_on_the_order_of_beads_and_bonds(name, seed, cutoff):
    positions, batch = chain_in(name, seed)
    order = torch.randperm(len(positions), generator=torch.Generator().manual_seed(seed))
    place = order.argsort()
    bonds = place[batch.bond_index].flip(1).flip(0)
    renamed = batch_of(batch.sizes, bonds.T.tolist(), [CELLS[name]])
    found = edges(build_graph(positions[order], renamed, cutoff), positions[order], names=order)
    assert found == edges(build_graph(positions, batch, cutoff), positions)


@given(**SITUATIONS)
@settings(max_examples=25, deadline=None)
def test_edges_come_in_both_directions_with_ascending_receivers_and_one_labelled_image_for_each_bond(
    name, seed, cutoff
):
    positions, batch = chain_in(name, seed)
    graph = build_graph(positions, batch, cutoff)
    forward = edges(graph, positions)
    backward = sorted((r, s, bond, tuple(-x + 0.0 for x in v)) for s, r, bond, v in forward)
    assert forward == backward
    assert graph.edge_index[1].tolist() == sorted(graph.edge_index[1].tolist())
    bonds = graph.edge_index[:, graph.is_bond].T.tolist()
    assert sorted(map(tuple, bonds)) == sorted([(i, i + 1) for i in range(7)] + [(i + 1, i) for i in range(7)])
    each_once = graph.edge_index[:, graph.undirected]
    not_self = graph.edge_index[0] != graph.edge_index[1]
    assert (each_once[0] < each_once[1]).all()
    assert 2 * each_once.shape[1] == int(not_self.sum())


@given(**SITUATIONS)
@settings(max_examples=25, deadline=None)
def test_edge_of_a_bond_says_what_its_receiver_sees_of_it_and_other_edges_nothing(name, seed, cutoff):
    positions, batch = chain_in(name, seed)
    mixed = torch.randperm(7, generator=torch.Generator().manual_seed(seed % 2**31))
    swapped = batch.bond_index[:, mixed].flip(0)
    batch = replace(batch, bond_index=swapped)
    graph = build_graph(positions, batch, cutoff)
    first = {(i, j): batch.bond_embedding[0, k] for k, (i, j) in enumerate(swapped.T.tolist())}
    second = {(j, i): batch.bond_embedding[1, k] for k, (i, j) in enumerate(swapped.T.tolist())}
    seen = first | second  # by receiver and sender
    for sender, receiver, is_bond, row in zip(*graph.edge_index.tolist(), graph.is_bond, graph.bond_row, strict=True):
        expected = torch.cat([torch.ones(1), seen[receiver, sender]]) if is_bond else torch.zeros(4)
        assert torch.equal(batch.bond_features[row], expected.double())


def test_bond_longer_than_the_cutoff_is_kept_and_labelled():
    positions = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [20.0, 0.0, 0.0]], dtype=torch.float64)
    batch = batch_of((3,), [(0, 1), (1, 2)], [OPEN])
    graph = build_graph(positions, batch, 2.0)
    assert graph.edge_index.tolist() == [[1, 0, 2, 1], [0, 1, 1, 2]]
    assert graph.is_bond.all()
    assert graph.edge_vectors(positions)[:, 0].tolist() == [3.0, -3.0, 17.0, -17.0]


def test_only_the_nearest_image_of_a_bond_is_a_bond():
    # In a cell of 8 the partner at distance 3 has its next image at 5, which is a contact and no bond.
    positions = torch.tensor([[0.5, 4.0, 4.0], [3.5, 4.0, 4.0]], dtype=torch.float64)
    graph = build_graph(positions, batch_of((2,), [(0, 1)], [CUBIC]), 6.0)
    along = graph.edge_vectors(positions)[:, 0]
    assert sorted(along[graph.is_bond].tolist()) == [-3.0, 3.0]
    assert sorted(along[~graph.is_bond].tolist()) == [-5.0, 5.0]


def test_bond_across_the_boundary_is_short():
    positions = torch.tensor([[0.5, 4.0, 4.0], [7.5, 4.0, 4.0]], dtype=torch.float64)
    for cutoff in (0.5, 2.0):
        graph = build_graph(positions, batch_of((2,), [(0, 1)], [CUBIC]), cutoff)
        assert graph.edge_vectors(positions).norm(dim=-1).tolist() == [1.0, 1.0]
        assert graph.is_bond.all()


def test_edge_vectors_can_be_differentiated_and_follow_the_positions():
    positions, batch = chain_in("triclinic", seed=1)
    graph = build_graph(positions, batch, 5.0)
    small = 1e-3 * torch.randn(positions.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = graph.edge_vectors(positions) + small[graph.edge_index[0]] - small[graph.edge_index[1]]
    torch.testing.assert_close(graph.edge_vectors(positions + small), expected)
    wanted = positions.clone().requires_grad_(True)
    graph.edge_vectors(wanted).sum().backward()
    sent = torch.bincount(graph.edge_index[0], minlength=8) - torch.bincount(graph.edge_index[1], minlength=8)
    torch.testing.assert_close(wanted.grad, sent[:, None].expand(-1, 3).double())


@pytest.mark.parametrize("cutoff", [1.0, 5.0])
def test_graph_of_a_batch_is_that_of_its_systems(cutoff):
    one, first = chain_in("cubic", seed=1)
    two, second = chain_in("open", seed=2, n=5)
    three, third = chain_in("triclinic", seed=3, n=1)
    bonds = first.bond_index.T.tolist() + (second.bond_index.T + 8).tolist()
    batch = batch_of((8, 5, 1), bonds, [CUBIC, OPEN, TRICLINIC])
    together = torch.cat([one, two, three])
    found = edges(build_graph(together, batch, cutoff), together)
    expected = edges(build_graph(one, first, cutoff), one)
    for start, positions, single in ((8, two, second), (13, three, third)):
        expected += edges(build_graph(positions, single, cutoff), positions, names=torch.arange(5) + start)
    assert found == sorted(expected)


def test_open_system_with_infinite_cutoff_is_complete():
    positions, batch = chain_in("open", seed=0)
    graph = build_graph(positions, batch, math.inf)
    assert graph.edge_index.shape[1] == 8 * 7
    assert int(graph.is_bond.sum()) == 14


def test_selection_has_the_chosen_systems_in_the_chosen_order():
    cells = [CUBIC, OPEN, TRICLINIC]
    batch = batch_of((3, 2, 4), [(0, 1), (1, 2), (3, 4), (5, 8)], cells)
    chosen = batch.select([2, 0])
    assert chosen.sizes == (4, 3)
    assert chosen.bond_index.T.tolist() == [[4, 5], [5, 6], [0, 3]]
    assert chosen.graph_index.tolist() == [0, 0, 0, 0, 1, 1, 1]
    beads = torch.tensor([5, 6, 7, 8, 0, 1, 2])
    for name in ("masses", "bead_class", "embedding"):
        torch.testing.assert_close(getattr(chosen, name), getattr(batch, name)[beads])
    torch.testing.assert_close(chosen.cell, torch.from_numpy(np.stack([TRICLINIC, CUBIC])))
    assert torch.equal(chosen.bond_embedding, batch.bond_embedding[:, [0, 1, 3]])


def test_copies_have_the_bonds_of_the_original_with_their_chemistry():
    batch = batch_of((3, 2), [(0, 1), (2, 1), (3, 4)], [CUBIC, OPEN])
    copies = batch.copies(2)
    assert copies.sizes == (3, 2, 3, 2)
    assert copies.bond_index.T.tolist() == [[0, 1], [2, 1], [3, 4], [5, 6], [7, 6], [8, 9]]
    n = len(batch.bond_features) - 1  # without the row of what is no bond
    assert torch.equal(copies.bond_features[:n], batch.bond_features[:n])
    assert torch.equal(copies.bond_features[n:], batch.bond_features)


def test_drift_is_removed_from_periodic_systems_and_left_in_open_ones():
    batch = batch_of((3, 4, 2), [], [CUBIC, OPEN, TRICLINIC])
    moves = torch.randn(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = batch.remove_drift(moves)
    for graph, keeps in enumerate((False, True, False)):
        beads = batch.beads_of(graph)
        momentum = (batch.masses[beads, None] * moved[beads]).sum(0)
        if keeps:
            torch.testing.assert_close(moved[beads], moves[beads])
            assert momentum.abs().max() > 0.1
        else:
            torch.testing.assert_close(momentum, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
            # Only a common displacement was taken away.
            torch.testing.assert_close((moves - moved)[beads].std(0), torch.zeros(3).double(), atol=1e-12, rtol=0)


def test_history_at_rest_keeps_the_present_and_loses_the_motion_of_the_whole_box():
    batch = batch_of((3, 4), [], [CUBIC, OPEN])
    history = torch.randn(7, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    flying = history + torch.arange(4.0).double()[:, None] * torch.tensor([3.0, -1.0, 0.5]).double()
    rest, same = batch.at_rest(history), batch.at_rest(flying)
    assert torch.equal(rest[:, -1], history[:, -1])
    beads = batch.beads_of(0)
    torch.testing.assert_close(same[beads] - flying[beads, -1:], rest[beads] - history[beads, -1:])
    centre = (batch.masses[beads, None, None] * rest[beads]).sum(0)
    torch.testing.assert_close(centre, centre[-1:].expand(4, 3))
    assert torch.equal(same[batch.beads_of(1)], flying[batch.beads_of(1)])


IONS = {"name": st.sampled_from(sorted(CELLS)), "seed": st.integers(0, 2**32 - 1), "cutoff": st.floats(1.0, 5.0),
        "further": st.floats(0.1, 8.0)}  # fmt: skip


def salt_in(name: str, seed: int) -> tuple[torch.Tensor, BeadBatch]:
    """Two systems: a chain of four beads among five ions, and three ions alone."""
    rng = np.random.default_rng(seed)
    positions = torch.from_numpy(rng.uniform(-2.0, 12.0, size=(12, 3)))
    bonds = [(1, 2), (2, 4), (4, 7)]
    return positions, batch_of((9, 3), bonds, [CELLS[name]] * 2)


@given(**IONS)
@settings(max_examples=50, deadline=None)
def test_ions_see_each_other_further_than_they_see_chains(name, seed, cutoff, further):
    positions, batch = salt_in(name, seed)
    assert batch.ions.tolist() == [0, 3, 5, 6, 8, 9, 10, 11]
    near, far = build_graph(positions, batch, cutoff), build_graph(positions, batch, cutoff + further)
    graph = build_graph(positions, batch, Cutoffs.of(cutoff, marked=cutoff + further))
    ions = set(batch.ions.tolist())
    # Every pair of two ions as with the longer cutoff for all, everything else as with the shorter one for all.
    wanted = [e for e in edges(far, positions) if {e[0], e[1]} <= ions]
    wanted += [e for e in edges(near, positions) if not {e[0], e[1]} <= ions]
    assert edges(graph, positions) == sorted(wanted)
    assert torch.all(graph.edge_index[1].diff() >= 0)


def test_range_of_ions_changes_nothing_where_there_are_none():
    positions, batch = chain_in("cubic", 3)
    assert len(batch.ions) == 0
    alone = edges(build_graph(positions, batch, 4.0), positions)
    assert edges(build_graph(positions, batch, Cutoffs.of(4.0, marked=7.0)), positions) == alone
    assert edges(build_graph(positions, batch, Cutoffs.of(4.0, 6.0, 7.0)), positions) == alone


@given(**IONS)
@settings(max_examples=50, deadline=None)
def test_ions_see_chains_further_than_chains_see_each_other(name, seed, cutoff, further):
    positions, batch = salt_in(name, seed)
    near, far = build_graph(positions, batch, cutoff), build_graph(positions, batch, cutoff + further)
    ions = set(batch.ions.tolist())

    def is_mixed(edge):
        return (edge[0] in ions) != (edge[1] in ions)

    wanted = [e for e in edges(far, positions) if is_mixed(e)] + [e for e in edges(near, positions) if not is_mixed(e)]
    graph = build_graph(positions, batch, Cutoffs.of(cutoff, cutoff + further))
    assert edges(graph, positions) == sorted(wanted)
    assert torch.all(graph.edge_index[1].diff() >= 0)
    # With a range of ions among themselves as well, each kind of pair has its own.
    both = build_graph(positions, batch, Cutoffs.of(cutoff, cutoff + further, cutoff + 2.0 * further))
    among = build_graph(positions, batch, cutoff + 2.0 * further)
    wanted = [e for e in wanted if not {e[0], e[1]} <= ions]
    wanted += [e for e in edges(among, positions) if {e[0], e[1]} <= ions]
    assert edges(both, positions) == sorted(wanted)
