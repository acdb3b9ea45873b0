"""Supervised graph network: from the molecular graph straight to the property, as in Fu et al. (TMLR 2023)."""

import copy

import numpy as np
import torch
from torch import nn

from cgsim.benchmark.baselines.regression import LEAST_KNOWN, Labelled
from cgsim.benchmark.baselines.short_md import with_powers
from cgsim.benchmark.portrait import Portrait
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings, partition
from cgsim.models.embedding import AtomGraph, EmbeddingNetwork, EmbeddingSettings, Vocabulary
from cgsim.models.message_passing import mlp
from cgsim.observables.statistics import Estimate
from cgsim.trajectory import System
from cgsim.typing import Array, Float, Float64, Int, Tensor

SETTINGS = EmbeddingSettings(type_size=16, latent=32, n_steps=4, n_hidden=1, size=32)
STEPS, BATCH, RATE, DECAY = 400, 16, 3e-3, 1e-4
CHECK_EVERY = 10
HELD_OUT = 0.15  # of the training systems, where there is no validation


class PropertyNetwork(nn.Module):
    """The embedding network of the simulator, the mean over all beads, and a small head."""

    def __init__(self, vocabulary: Vocabulary, n_labels: int) -> None:
        super().__init__()
        self.embedding = EmbeddingNetwork(SETTINGS, vocabulary)
        self.head = mlp(SETTINGS.size, n_labels, latent=SETTINGS.size, n_hidden=1, norm=False)

    def forward(self, graph: AtomGraph, system_of_bead: Int[Tensor, " beads"]) -> Float[Tensor, "systems labels"]:
        """Standardised labels of each system."""
        beads = self.embedding(graph).beads
        n = int(system_of_bead.max()) + 1
        counts = torch.bincount(system_of_bead, minlength=n)[:, None]
        mean = beads.new_zeros(n, beads.shape[1]).index_add(0, system_of_bead, beads) / counts
        labels: Tensor = self.head(mean)
        return labels


def supervised_gnn(
    known: Labelled,
    validation: Labelled,
    asked: dict[str, System],
    labels: tuple[str, ...],
    mapping: MappingSettings,
    seed: int,
) -> dict[str, Portrait]:
    """Train on the labels of the training systems; stop where validation (or a part held out) is predicted best.

    Systems with atom types that training never saw are left out of the answer.
    """
    used = tuple(label for label in labels if len(known.labels(label)[0]) >= LEAST_KNOWN)
    vocabulary = Vocabulary.of(list(known.atoms.values()))
    graphs = _graphs({**known.atoms, **validation.atoms, **asked}, mapping, vocabulary)
    train, judges = _split(known, validation, graphs, seed)
    targets = {name: _labels(labelled, name, used) for labelled in (validation, known) for name in labelled.atoms}
    table = np.stack([targets[name] for name in train])
    centre = np.nanmean(table, axis=0)
    spread = np.nanstd(table, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = PropertyNetwork(vocabulary, len(used))
    standard = {name: torch.from_numpy((target - centre) / spread).float() for name, target in targets.items()}
    _train(network, graphs, train, judges, standard, seed)
    answers = [name for name in asked if name in graphs]
    with torch.no_grad():
        predicted = network(*_join(graphs, answers)).double().numpy() * spread + centre if answers else []
    portraits = {}
    for name, row in zip(answers, predicted, strict=True):
        values = {label: Estimate(float(value), float("nan")) for label, value in zip(used, row, strict=True)}
        portraits[name] = Portrait(with_powers(values))
    return portraits


def _train(
    network: PropertyNetwork,
    graphs: dict[str, AtomGraph],
    train: list[str],
    judges: list[str],
    targets: dict[str, Tensor],
    seed: int,
) -> None:
    """Adam on the mean squared error; the weights that predict the judges best are kept."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    best, kept = float("inf"), copy.deepcopy(network.state_dict())
    for step in range(STEPS):
        chosen = [train[i] for i in torch.randperm(len(train), generator=generator)[:BATCH].tolist()]
        optimizer.zero_grad()
        loss = _loss(network(*_join(graphs, chosen)), chosen, targets)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % CHECK_EVERY == CHECK_EVERY - 1:
            with torch.no_grad():
                judged = float(_loss(network(*_join(graphs, judges)), judges, targets))
            if judged < best:
                best, kept = judged, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)


def _loss(predicted: Tensor, names: list[str], targets: dict[str, Tensor]) -> Tensor:
    wanted = torch.stack([targets[name] for name in names])
    known = torch.isfinite(wanted)
    return (predicted - torch.where(known, wanted, predicted.detach())).square().sum() / known.sum().clamp(min=1)


def _labels(labelled: Labelled, name: str, labels: tuple[str, ...]) -> Float64[Array, " labels"]:
    return np.array([labelled.portraits[name].value(label).value for label in labels])


def _split(
    known: Labelled, validation: Labelled, graphs: dict[str, AtomGraph], seed: int
) -> tuple[list[str], list[str]]:
    """Systems to learn from and systems to stop by; with few systems both are the same."""
    names = list(known.atoms)
    judges = [name for name in validation.atoms if name in graphs]
    if judges:
        return names, judges
    n_held = int(HELD_OUT * len(names))
    order = np.random.default_rng(seed).permutation(len(names))
    if n_held < 2:
        return names, names
    return [names[i] for i in order[n_held:]], [names[i] for i in order[:n_held]]


def _graphs(systems: dict[str, System], mapping: MappingSettings, vocabulary: Vocabulary) -> dict[str, AtomGraph]:
    graphs = {}
    for name, atoms in systems.items():
        try:
            graphs[name] = AtomGraph.of(atoms, partition(atoms, mapping), vocabulary, name)
        except InputError:  # an atom type that no training system has
            continue
    return graphs


def _join(graphs: dict[str, AtomGraph], names: list[str]) -> tuple[AtomGraph, Int[Tensor, " beads"]]:
    chosen = [graphs[name] for name in names]
    sizes = torch.tensor([g.n_beads for g in chosen])
    return AtomGraph.concatenate(chosen), torch.repeat_interleave(torch.arange(len(chosen)), sizes)
