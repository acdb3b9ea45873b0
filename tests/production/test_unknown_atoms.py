"""What a model says of atoms that it does not know: the models that ship and do know them are named."""

from pathlib import Path

import pytest

from cgsim.beads import open_beads
from cgsim.checkpoint import ModelCard, pretrained_cards
from cgsim.errors import InputError
from cgsim.production.start import system_inputs, warn_of_unfamiliar

DATA = Path(__file__).parents[2] / "data" / "spe-450K"
SULPHIDE, METHACRYLATE = (DATA / "train-beads" / f"{name}.h5" for name in ("P-EO-ES", "PMEMA"))


def message_of_refusal(path: Path, card: ModelCard) -> str:
    beads = open_beads(path, card.mapping)
    with pytest.raises(InputError) as error:
        system_inputs(beads, beads.read(slice(0, 1)).cell[0], card)
    return str(error.value)


def without(card: ModelCard, kind: str, name: str) -> ModelCard:
    """A model that is like one that ships, but never saw one type of atoms or surroundings."""
    known = getattr(card, kind)
    assert name in known
    return card.model_copy(update={kind: tuple(one for one in known if one != name)})


def test_models_that_ship_and_know_the_atom_types_are_named():
    message = message_of_refusal(SULPHIDE, without(pretrained_cards()["electrolyte"], "atom_types", "S2"))
    assert message.startswith(f"{SULPHIDE}: atom type 'S2' (element and number of bonds) is unknown to the model")
    assert message.endswith("; known to what ships as: electrolyte, fast-electrolyte")


def test_models_that_ship_and_know_the_species_are_named():
    message = message_of_refusal(DATA / "train" / "PEO.h5", pretrained_cards()["chain"])
    assert message.startswith(f"{DATA / 'train' / 'PEO.h5'}: species ")
    assert message.endswith("; known to what ships as: electrolyte, fast-electrolyte")


def test_nothing_is_named_where_nothing_that_ships_knows_the_atoms(monkeypatch):
    cards = {name: without(card, "atom_types", "S2") for name, card in pretrained_cards().items() if name != "chain"}
    monkeypatch.setattr("cgsim.production.start.pretrained_cards", lambda: cards)
    assert message_of_refusal(SULPHIDE, cards["electrolyte"]).endswith("from this model on (start_from)")


def test_models_that_ship_and_have_learned_from_the_surroundings_are_named():
    card = without(pretrained_cards()["electrolyte"], "surroundings", "C4 (C3 C4 C4 C4)")
    with pytest.warns(
        UserWarning,
        match=r"56 of 1488 .* \(C4 \(C3 C4 C4 C4\): 56\).*; learned from by what ships as: "
        r"electrolyte, fast-electrolyte$",
    ):
        warn_of_unfamiliar(open_beads(METHACRYLATE, card.mapping), card)
