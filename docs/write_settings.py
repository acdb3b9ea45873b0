"""Writes docs/settings.md from the settings classes and their docstrings: make docs."""

import inspect
import re
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cgsim.config import Experiment
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.settings import ChainSettings

PAGE = Path(__file__).with_name("settings.md")
INTRODUCTION = """# Settings

This page is made by `make docs` from the settings classes; `make check` fails when it is out of date.

An experiment is one YAML file for `cgsim train`. A key that is not listed here is an error that names the nearest one.
Any of them can be changed on the command line by its full name:

```sh
cgsim train configs/demo-chains.yaml -o runs/try --set training.steps=500 --set 'model.lag_time=50 tau'
```

Times may have a unit (`15 ps`, `0.2 ns`, `25 tau`); a bare number is in the unit of the stores, ps or tau. Lengths are
in Å or sigma. The settings under `sampler` can also be changed when simulating, without their prefix:

```sh
cgsim simulate runs/try/model start.h5 --time 1000tau -o rollout.h5 --sampler guard=false
```
"""
CHAINS = """## Reference chains

Settings of `cgsim generate chains --config FILE -o FOLDER`, which makes bead-spring chains with LAMMPS; the files in
`configs/generate` are examples. All are in reduced Lennard-Jones units, and times are written with theirs (`4000 tau`).
"""
ELECTROLYTES = """## Polymer electrolytes

Settings of `cgsim generate electrolyte --config FILE -o FOLDER`, see [reference data](reference-data.md). Several
systems stand under `systems` by their names; a setting outside is that of all systems which have none of their own.
Times are written with their unit (`2 ps`, `1 ns`).
"""
CHOICES = "one of "


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *_tables("", Experiment), CHAINS, *_tables("", ChainSettings, heading=False)]
    parts += [ELECTROLYTES, *_tables("", ElectrolyteSettings, heading=False)]
    return "\n".join(parts)


def _tables(prefix: str, model: type[BaseModel], *, heading: bool = True) -> list[str]:
    """One table for the plain settings of a class, then those of the classes in it."""
    meanings = _meanings(model)
    rows, inner = [], []
    for name, field in model.model_fields.items():
        nested = _nested(field.annotation)
        if nested is not None:
            inner += _tables(f"{prefix}{name}.", nested, heading=heading)
            if field.default is not None:
                continue
        meaning = meanings.get(name) or field.description or ""
        if not meaning:
            raise ValueError(f"{model.__name__}.{name} has no description")
        rows.append(f"| `{prefix}{name}` | {_default(field)} | {_sentence(meaning, field)} |")
    title = [f"## {prefix.rstrip('.') or 'Top level'}\n"] if heading else []
    table = ["| key | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"] if rows else []
    return [*(title if rows else []), *table, *inner]


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The settings class in an annotation, if there is one."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """The entries under ``Attributes:`` of a class and those it inherits from."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if not (isinstance(one, type) and issubclass(one, BaseModel)) or one is BaseModel:
            continue
        text = inspect.cleandoc(one.__doc__ or "").partition("Attributes:\n")[2]
        for names, meaning in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", text, flags=re.MULTILINE):
            found |= dict.fromkeys(names.split(", "), re.sub(r"\s+", " ", meaning))
    return found


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, dict):
        value = "{" + ", ".join(f"{key}: {entry}" for key, entry in value.items()) + "}"
    if value == float("inf"):
        value = ".inf"
    return f"`{value}`" if str(value) else "empty"


def _sentence(meaning: str, field: FieldInfo) -> str:
    """The meaning, with Markdown's code marks, and the choices unless it names them all."""
    choices = [str(choice) for choice in _choices(field.annotation)]
    text = meaning.replace("``", "`").rstrip(".").replace("|", "\\|")
    if choices and not all(choice in text for choice in choices):
        text += f" ({CHOICES}{', '.join(f'`{choice}`' for choice in choices)})"
    return text


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) if get_origin(part) is Literal for choice in get_args(part)]


if __name__ == "__main__":
    PAGE.write_text(page())
