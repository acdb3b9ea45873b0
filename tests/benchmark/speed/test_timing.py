"""What the speed benchmark says is about the code: spreads, ratios, tiles, and a fair opponent."""

import numpy as np
import pytest
import torch

from cgsim.benchmark.speed import steps
from cgsim.benchmark.speed.calls import Products
from cgsim.benchmark.speed.steps import Clock
from cgsim.benchmark.speed.systems import tiles_for
from cgsim.benchmark.speed.timing import Alternation, Timing
from cgsim.benchmark.speed.written_plainly import WrittenPlainly
from cgsim.models.interface import GraphFeatures
from cgsim.models.message_passing import EdgeMLP, MessagePassingBody
from cgsim.models.network import FeatureSizes, NetworkSettings

CPU = torch.device("cpu")


def test_standard_error_of_a_median_covers_the_true_one_at_its_rate():
    rng = np.random.default_rng(0)
    timings = [Timing.of(rng.normal(5.0, 1.0, size=101).tolist()) for _ in range(400)]
    covered = np.mean([abs(t.value - 5.0) < t.standard_error for t in timings])
    # 68 % of 400 with the binomial error 0.023; the error of the error itself widens it a little.
    assert 0.58 < covered < 0.78


def test_one_disturbed_round_hardly_moves_a_median():
    calm = Timing.of([1.0, 1.1, 0.9, 1.0, 1.05])
    disturbed = Timing.of([1.0, 1.1, 0.9, 1.0, 50.0])
    assert disturbed.value == pytest.approx(calm.value, rel=0.1)
    assert disturbed.standard_error < 0.2


def test_what_slows_both_cases_drops_out_of_their_ratio():
    rng = np.random.default_rng(1)
    load = rng.uniform(1.0, 8.0, size=15)
    times = Alternation({"a": (3.0 * load).tolist(), "b": (2.0 * load).tolist()})
    ratio = times.ratio("a", "b")
    assert ratio.value == pytest.approx(1.5)
    assert ratio.standard_error < 1e-12
    assert times["a"].standard_error > 0.5


@pytest.mark.parametrize("n_beads", [1, 190, 1000, 10_000, 100_000, 1_000_000])
def test_tiles_give_the_beads_that_were_asked_for_and_not_many_more(n_beads):
    tiles = tiles_for(n_beads, 190)
    n = 190 * tiles[0] * tiles[1] * tiles[2]
    assert n >= n_beads
    assert n <= 1.2 * n_beads + 3 * 190
    if n_beads > 10_000:
        assert max(tiles) <= 2 * min(tiles)


def test_clock_gives_each_second_to_the_innermost_part(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(steps, "seconds_now", lambda _: now[0])

    def spend(seconds: float) -> None:
        now[0] += seconds

    clock = Clock(CPU)
    inner = clock.around(spend, "inner")

    def work() -> None:
        spend(2.0)
        inner(5.0)
        spend(1.0)
        inner(0.5)

    clock.around(work, "outer")()
    assert clock.seconds == {"inner": 5.5, "outer": 3.0}


def test_opponent_written_plainly_computes_what_ours_computes():
    # The same weights in both: the first layer of each edge MLP is that of ours put together again.
    sizes, settings = FeatureSizes(5, 2, 1, 1), NetworkSettings(kind="plain", latent=8, n_steps=2, n_vectors=3)
    torch.manual_seed(0)
    ours = MessagePassingBody(**vars(sizes), latent=8, n_steps=2, n_hidden=2, n_vectors=3).double()
    plain = WrittenPlainly(sizes, settings).double()
    weights = {k: v for k, v in ours.state_dict().items() if not k.startswith("edge_updates")}
    for k, update in enumerate(ours.edge_updates):
        assert isinstance(update, EdgeMLP)
        parts = (update.from_edge.weight, update.from_sender.weight, update.from_receiver.weight)
        weights[f"edge_updates.{k}.0.weight"] = torch.cat(parts, dim=1)
        weights[f"edge_updates.{k}.0.bias"] = update.from_edge.bias
        for name, value in update.rest.state_dict().items():
            number, kind = name.split(".")
            weights[f"edge_updates.{k}.{int(number) + 2}.{kind}"] = value
    plain.load_state_dict(weights)
    receiver = torch.randint(6, (30,)).sort().values
    features = GraphFeatures(
        torch.randn(6, 5).double(),
        torch.randn(6, 2, 3).double(),
        torch.stack([torch.randint(6, (30,)), receiver]),
        torch.rand(30, 1).double(),
        torch.randn(30, 1, 3).double(),
    )
    found, expected = plain(features), ours(features)
    torch.testing.assert_close(found.scalars, expected.scalars)
    torch.testing.assert_close(found.vectors, expected.vectors)


def test_products_are_those_of_the_shapes():
    products = Products([(3, 4, 5), (7, 2, 6)], torch.bfloat16, CPU)
    assert [(tuple(a.shape), tuple(b.shape)) for a, b in products.operands] == [((3, 4), (4, 5)), ((7, 2), (2, 6))]
    products()
