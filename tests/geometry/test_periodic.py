import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cgsim.geometry.periodic import inverse_cell, minimum_image, reduce_cell, unwrap_step, wrap

OPEN = torch.zeros(3, 3, dtype=torch.float64)


@st.composite
def cells(draw, max_tilt=0.5):
    """Cells in lower triangular form; a tilt of 0.5 is where lattice reduction stops."""
    lengths = [draw(st.floats(3.0, 40.0)) for _ in range(3)]
    tilts = [draw(st.floats(-max_tilt, max_tilt)) for _ in range(3)]
    a, b, c = lengths
    rows = [[a, 0, 0], [tilts[0] * a, b, 0], [tilts[1] * a, tilts[2] * b, c]]
    return torch.tensor(rows, dtype=torch.float64)


def points(seed, cell, n=20, spread=5.0, dtype=torch.float64):
    """Fractional coordinates within a few cells."""
    generator = torch.Generator().manual_seed(seed)
    fractional = spread * (2 * torch.rand((n, 3), generator=generator, dtype=torch.float64) - 1)
    return (fractional @ cell).to(dtype)


@given(cell=cells(max_tilt=2.0), seed=st.integers(0, 1000), dtype=st.sampled_from([torch.float32, torch.float64]))
@settings(max_examples=60, deadline=None)
def test_wrap_is_idempotent_and_images_undo_it(cell, seed, dtype):
    positions, cell = points(seed, cell, dtype=dtype), cell.to(dtype)
    wrapped, images = wrap(positions, cell)
    again, none = wrap(wrapped, cell)
    torch.testing.assert_close(again, wrapped, rtol=0, atol=0)
    assert not none.any()
    # A dozen roundings of numbers of the size of the positions.
    atol = 30 * torch.finfo(dtype).eps * float(positions.abs().max() + cell.abs().max())
    torch.testing.assert_close(wrapped + images.to(dtype) @ cell, positions, rtol=0, atol=atol)
    fractional = wrapped.double() @ inverse_cell(cell.double())
    slack = 100 * torch.finfo(dtype).eps
    assert (fractional > -slack).all()
    assert (fractional < 1 + slack).all()


@given(
    value=st.sampled_from([-1e-30, -1e-20, -1e-9, -0.0, 0.0, 1e-30, 10.0, -10.0, 20.0, 9.999999999, -1e-7]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_wrap_is_idempotent_at_the_faces(value, dtype):
    positions = torch.full((1, 3), value, dtype=dtype)
    cell = 10 * torch.eye(3, dtype=dtype)
    wrapped, _ = wrap(positions, cell)
    again, images = wrap(wrapped, cell)
    torch.testing.assert_close(again, wrapped, rtol=0, atol=0)
    assert not images.any()


@given(cell=cells(max_tilt=3.0), seed=st.integers(0, 1000), turn=st.booleans())
@settings(max_examples=80, deadline=None)
def test_minimum_image_is_the_shortest_of_all_images(cell, seed, turn):
    if turn:  # any orientation, not only lower triangular
        generator = torch.Generator().manual_seed(seed)
        cell = cell @ torch.linalg.qr(torch.randn((3, 3), generator=generator, dtype=torch.float64))[0]
    vectors = points(seed, cell)
    found = minimum_image(vectors, cell)
    shift = (found - vectors) @ torch.linalg.inv(cell)
    torch.testing.assert_close(shift, shift.round(), rtol=0, atol=1e-9)
    # All images with up to 6 vectors of the reduced basis; that it spans the same lattice is tested below.
    basis = reduce_cell(cell)
    reduced = vectors - torch.floor(vectors @ torch.linalg.inv(basis)) @ basis
    offsets = torch.tensor(list(itertools.product(range(-6, 7), repeat=3)), dtype=torch.float64) @ basis
    shortest = (reduced[:, None] + offsets).norm(dim=-1).min(dim=1).values
    torch.testing.assert_close(found.norm(dim=-1), shortest, rtol=1e-12, atol=1e-9)


@given(cell=cells(max_tilt=3.0))
@settings(max_examples=60, deadline=None)
def test_reduced_cell_spans_the_same_lattice_with_the_shortest_vectors(cell):
    reduced = reduce_cell(cell)
    integers = reduced @ torch.linalg.inv(cell)
    torch.testing.assert_close(integers, integers.round(), rtol=0, atol=1e-9)
    assert float(torch.linalg.det(integers.round()).abs()) == pytest.approx(1.0)
    shortest = (torch.tensor(list(itertools.product(range(-6, 7), repeat=3)), dtype=torch.float64) @ cell).norm(dim=-1)
    assert reduced.norm(dim=-1).min() <= shortest[shortest > 1e-9].min() * (1 + 1e-12)
    # No lattice vector made of two or three of them is shorter than the longest in it.
    lengths = reduced.norm(dim=-1)
    for coefficients in itertools.product((-1.0, 0.0, 1.0), repeat=3):
        used = torch.tensor(coefficients, dtype=torch.float64)
        if bool(used.any()):
            assert (used @ reduced).norm() >= lengths[used != 0].max() * (1 - 1e-9)


@given(cell=cells(max_tilt=0.5), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_unwrapping_wrapped_positions_is_identity_for_steps_under_half_the_cell(cell, seed):
    start = points(seed, cell)
    heights = 1 / inverse_cell(cell).norm(dim=0)
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn((20, 3), generator=generator, dtype=torch.float64)
    steps = 0.49 * heights.min() * directions / directions.norm(dim=-1, keepdim=True)
    end = start + steps  # shorter than half of every lattice vector, so nothing else is nearer
    torch.testing.assert_close(unwrap_step(start, wrap(end, cell)[0], cell), end, rtol=0, atol=1e-9)


@given(cell=cells(max_tilt=2.0), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_images_make_unwrapping_exact_for_steps_of_any_length(cell, seed):
    far = points(seed, cell, spread=1000.0)
    wrapped, images = wrap(far, cell)
    torch.testing.assert_close(wrapped + images.double() @ cell, far, rtol=1e-13, atol=1e-9)


def test_open_boundaries_leave_everything_as_it_is():
    positions = torch.randn((5, 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 100
    wrapped, images = wrap(positions, OPEN)
    torch.testing.assert_close(wrapped, positions, rtol=0, atol=0)
    assert not images.any()
    torch.testing.assert_close(minimum_image(positions, OPEN), positions, rtol=0, atol=0)
    torch.testing.assert_close(inverse_cell(OPEN), OPEN, rtol=0, atol=0)


def test_a_batch_of_cells_is_the_cells_one_by_one():
    cells = torch.stack([10 * torch.eye(3), torch.tensor([[8.0, 0, 0], [2, 9, 0], [-3, 4, 11]]), torch.zeros(3, 3)])
    positions = 40 * torch.randn((3, 7, 3), generator=torch.Generator().manual_seed(1))
    wrapped, images = wrap(positions, cells)
    nearest = minimum_image(positions, cells)
    for i in range(3):
        one, flags = wrap(positions[i], cells[i])
        # The same formula through batched matrix products, which may sum in another order.
        torch.testing.assert_close(wrapped[i], one, rtol=0, atol=1e-4)
        torch.testing.assert_close(images[i], flags)
        torch.testing.assert_close(nearest[i], minimum_image(positions[i], cells[i]), rtol=0, atol=1e-4)
