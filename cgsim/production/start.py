"""Where a rollout starts: frames of a store that give the model its history, atoms in the terms that it knows."""

import warnings

import numpy as np

from cgsim.beads import BeadStore
from cgsim.checkpoint import ModelCard, pretrained_cards
from cgsim.errors import InputError
from cgsim.models.embedding import atom_types
from cgsim.models.inputs import SystemInputs
from cgsim.train.source import lag_stride
from cgsim.trajectory import Trajectory
from cgsim.trajectory.windows import window_frames
from cgsim.typing import Array, Float64
from cgsim.units import format_time

MOST_SHOWN = 4


def starting_frames(beads: BeadStore, card: ModelCard, begin: float) -> Trajectory:
    """Frames that a rollout looks back on, one lag time apart, the present last.

    Args:
        beads: the store to start from.
        card: of the model that will continue it.
        begin: time of the present, counted from the store's first frame; infinite for the last frame. A time before
            the model's history is complete is moved to where it is.

    Raises:
        InputError: if units, boundaries, save interval or length do not suit the model.
    """
    path = beads.store.path
    if beads.atoms.units is not card.units:
        raise InputError(f"{path}: is in {beads.atoms.units} units, the model was trained in {card.units}")
    offsets, lag = card.model.history_offsets, card.model.lag_time
    if beads.store.is_periodic and card.model.needs_open_boundaries:
        raise InputError(f"{path}: has a periodic cell, but the model was trained on open systems")
    if offsets[-1] == 0:  # one frame is history enough, whatever the save interval
        frames, stride = range(beads.store.n_frames), 1
    elif beads.store.n_frames == 1:
        looks_back = format_time(offsets[-1] * lag, card.units)
        raise InputError(f"{path}: has one frame, {card.name!r} looks back {looks_back}{_from_one_frame(beads)}")
    else:
        try:
            stride = lag_stride(beads, lag)
        except InputError as error:
            raise InputError(f"{error}{_from_one_frame(beads)}") from None
        frames = window_frames(beads.store.n_frames, stride, offsets, ahead=0)
    if not len(frames):
        raise InputError(
            f"{path}: the model looks back {offsets[-1]} lags of {format_time(lag, card.units)}, which needs "
            f"{offsets[-1] * stride + 1} frames; the file has {beads.store.n_frames}{_from_one_frame(beads)}"
        )
    since = beads.store.time - beads.store.time[0]
    present = frames[-1] if np.isinf(begin) else int(np.searchsorted(since, begin - 1e-6 * lag))
    present = max(present, frames[0])
    if present > frames[-1]:
        found = format_time(float(since[-1]), card.units)
        raise InputError(f"{path}: cannot start at {begin:g} {card.units.time}; the trajectory is {found} long")
    return beads.read(slice(present - offsets[-1] * stride, present + 1, stride))


def system_inputs(beads: BeadStore, cell: Float64[Array, "3 3"], card: ModelCard) -> SystemInputs:
    """Translate the system of a store for a model.

    Args:
        beads: the store to start from.
        cell: box vectors of the frame to start from.
        card: of the model.

    Raises:
        InputError: if the model does not know its atoms or species; the message names the models that ship and do.
    """
    classes = card.scales.class_names
    try:
        return SystemInputs.of(beads.atoms, beads.mapping, cell, card.vocabulary, classes, str(beads.store.path))
    except InputError as error:
        others = ", ".join(_cards_that_know(beads))
        raise InputError(f"{error}; known to what ships as: {others}" if others else str(error)) from None


def _cards_that_know(beads: BeadStore) -> dict[str, ModelCard]:
    """Cards of the models that ship and know the units, boundaries, species and atom types of a store."""
    return {
        name: card
        for name, card in pretrained_cards().items()
        if beads.atoms.units is card.units
        and not (beads.store.is_periodic and card.model.needs_open_boundaries)
        and set(beads.mapping.class_names) <= set(card.scales.class_names)
        and set(atom_types(beads.atoms)) <= set(card.atom_types)
    }


def _from_one_frame(beads: BeadStore) -> str:
    """Names the models that ship, know the atoms of a store and take one frame for history."""
    found = [name for name, card in _cards_that_know(beads).items() if card.model.history_offsets[-1] == 0]
    return f"; one frame is enough for what ships as: {', '.join(found)}" if found else ""


def warn_of_unfamiliar(beads: BeadStore, card: ModelCard) -> None:
    """Warn of groups of atoms that a model has not learned from, and name what ships and has; it draws them anyway."""
    found = card.vocabulary.unfamiliar(beads.atoms)
    if not found:
        return
    most = ", ".join(f"{name}: {count}" for name, count in list(found.items())[:MOST_SHOWN])
    more = f", and {len(found) - MOST_SHOWN} more ways" if len(found) > MOST_SHOWN else ""
    others = [name for name, other in _cards_that_know(beads).items() if not other.vocabulary.unfamiliar(beads.atoms)]
    way_out = f"; learned from by what ships as: {', '.join(others)}" if others else ""
    warnings.warn(
        f"{beads.store.path}: {sum(found.values())} of {beads.atoms.n_particles} atoms are bonded in ways that "
        f"{card.name!r} has not learned from ({most}{more}); what it says of them is a guess. Training that goes on "
        f"with MD of such groups (start_from) is the remedy{way_out}",
        UserWarning,
        stacklevel=2,
    )
