"""However the networks are run, they compute the same: in blocks, compiled, with kept searches; in bfloat16 nearly."""

import subprocess
import sys
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_networks import KINDS, batch_with, following, histories, model_with, run

import cgsim.graph
from cgsim.graph import BeadBatch
from cgsim.models.execution import Compiled, Execution, edge_blocks
from cgsim.models.network import FEWEST_EDGES, halve_edges_at_once, set_execution
from cgsim.simulate.propagator import Calibration, LearnedPropagator
from cgsim.simulate.rollout import RolloutState, rollout
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import TrainingRange


def in_float32(batch: BeadBatch) -> BeadBatch:
    names = ("masses", "cell", "embedding", "bond_embedding")
    return replace(batch, **{name: getattr(batch, name).float() for name in names})


@given(
    degrees=st.lists(st.integers(0, 9), min_size=1, max_size=40), largest=st.integers(0, 30), seed=st.integers(0, 999)
)
@settings(max_examples=60, deadline=None)
def test_blocks_have_every_edge_once_and_every_node_whole(degrees, largest, seed):
    n = len(degrees)
    receiver = torch.repeat_interleave(torch.arange(n), torch.tensor(degrees))
    sender = torch.randint(n, receiver.shape, generator=torch.Generator().manual_seed(seed))
    blocks = edge_blocks(torch.stack([sender, receiver]), n, largest)
    assert [i for b in blocks for i in range(n)[b.nodes]] == list(range(n))
    assert torch.equal(torch.cat([b.sender for b in blocks]), sender)
    assert torch.equal(torch.cat([b.receiver + b.nodes.start for b in blocks]), receiver)
    for b in blocks:
        assert len(b.sender) == len(range(len(sender))[b.edges])
        # An even cut never splits a node: a block is longer than asked for by less than one node's edges.
        assert not largest or len(b.sender) <= largest + max(degrees)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_in_blocks_say_what_they_say_in_one_piece(kind):
    which = [0, 1, 2]
    model = model_with(kind)
    batch, history = batch_with(model, which), torch.cat(histories(model, which))
    answers = []
    with torch.no_grad():
        for edges in (10**9, 40, 1):
            set_execution(model, Execution(edges_at_once=edges))
            gaussian, latents, step = run(model, batch, history, following(history))
            answers.append((gaussian.mean, gaussian.precision, gaussian.pairs.along, latents.scalars, step))
    for parts in answers[1:]:
        for whole, part in zip(answers[0], parts, strict=True):
            torch.testing.assert_close(part, whole, rtol=1e-10, atol=1e-10)  # double precision, sums of tens of terms


@pytest.mark.parametrize("kind", KINDS)
def test_matrix_products_in_bfloat16_change_a_draw_by_a_small_part_of_its_spread(kind):
    which = [0, 1]
    model = model_with(kind).float()
    batch, history = batch_with(model.double(), which), torch.cat(histories(model, which))
    batch = in_float32(batch)
    model, history = model.float(), history.float()
    found = {}
    with torch.no_grad():
        for precision in ("float32", "bfloat16"):
            set_execution(model, Execution(precision=precision))
            graph = cgsim.graph.build_graph(history[:, -1], batch, 6.0)
            gaussian, _ = model.dynamics(batch, history, graph)
            assert gaussian.mean.dtype == torch.float32
            found[precision] = gaussian
    exact, rough = found["float32"], found["bfloat16"]
    assert not torch.equal(exact.mean, rough.mean)
    # bfloat16 has 8 bits: 0.4 % for each product, which four layers of random weights make a few per cent at most.
    spread = exact.precision.rsqrt()[:, None]
    assert ((rough.mean - exact.mean) / spread).square().mean().sqrt() < 0.2
    assert (rough.precision.log() - exact.precision.log()).abs().mean() < 0.1


def frames_of(kind, n_steps=4, **changes):
    """Some frames of a refined, guarded rollout of random networks."""
    which = [0, 1]
    model = model_with(kind, offsets=(0, 1))
    batch = batch_with(model, which)
    model = model.float()
    batch = in_float32(batch)
    set_execution(model, Execution(**changes))
    n_classes = len(model.scales.class_names)
    trained = TrainingRange(longest_bond=6.0, closest_pair=((1.5,) * n_classes,) * n_classes)
    sampler = SamplerSettings(method="heun", start=0.4, end=0.1, n_levels=4)
    calibration = Calibration(own_error=0.5, noise_scale=(0.2,) * n_classes)
    propagator = LearnedPropagator(model, sampler, calibration, [trained])
    present = torch.cat([h[:, -1] for h in histories(model, which)]).float()
    state = RolloutState(present[None].repeat(2, 1, 1), torch.zeros(2, len(present), 3, dtype=torch.int32))
    frames = list(islice(rollout(propagator, batch, state, torch.Generator().manual_seed(1)), n_steps))
    searches = sum(search.n_searches for search in batch._searches.values())
    return torch.stack([f.wrapped_positions for f in frames]), torch.stack([f.image_flags for f in frames]), searches


@pytest.mark.parametrize("kind", KINDS)
def test_rollout_with_kept_searches_is_the_rollout_that_searches_anew_bit_for_bit(kind, monkeypatch):
    kept = frames_of(kind)
    monkeypatch.setattr(cgsim.graph, "SKIN", 0.0)
    anew = frames_of(kind)
    assert torch.equal(kept[0], anew[0])
    assert torch.equal(kept[1], anew[1])
    assert kept[2] < anew[2]


def test_function_that_cannot_be_compiled_runs_as_it_is_and_says_why_once(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no C++ compiler found\nand much more")

    monkeypatch.setattr(torch, "compile", refuse)
    function = Compiled(lambda x: 2 * x)
    with pytest.warns(RuntimeWarning, match="run without being compiled: no C\\+\\+ compiler found$"):
        assert function(Execution(compile=True), 3) == 6
    assert function(Execution(compile=True), 4) == 8  # a second warning would be an error here
    assert function.failure == "no C++ compiler found"


def test_want_of_memory_is_not_mistaken_for_want_of_a_compiler(monkeypatch):
    def exhausted(*_):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: exhausted)
    function = Compiled(lambda x: x)
    with pytest.raises(torch.OutOfMemoryError):
        function(Execution(compile=True), 1)
    assert not function.failure


def test_edges_at_once_are_halved_until_there_are_few():
    model = model_with("plain")
    sizes = [model.dynamics.body.execution.largest_block(torch.device("cpu"), gradients=False)]
    while halve_edges_at_once(model):
        sizes.append(model.dynamics.body.execution.edges_at_once)
        assert model.refiner.body.execution.edges_at_once == sizes[-1]
    assert all(2 * b == a for a, b in pairwise(sizes))
    assert FEWEST_EDGES <= sizes[-1] < 2 * FEWEST_EDGES


COMPARE = """
import torch, warnings
warnings.simplefilter("error", RuntimeWarning)
from test_execution import frames_of
for kind in ("plain", "equivariant"):
    eager, compiled = (frames_of(kind, n_steps=1, compile=c)[0] for c in (False, True))
    assert not torch.equal(eager, torch.zeros_like(eager))
    # One step of float32: positions of 10, some hundred operations.
    torch.testing.assert_close(compiled, eager, rtol=0, atol=1e-4)
"""


@pytest.mark.slow
def test_compiled_networks_take_the_step_of_networks_as_they_are():
    # In a process of its own: the checks of shapes in the tests cannot be compiled.
    tests = Path(__file__).parents[1]
    program = f"import sys; sys.path[:0] = [{str(tests)!r}, {str(tests / 'models')!r}]\n{COMPARE}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
