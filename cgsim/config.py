"""One experiment in one YAML file: typed settings, ``--set a.b=c``, and errors that name the nearest known key."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import torch
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cgsim.errors import InputError, nearest
from cgsim.mapping import MappingSettings
from cgsim.models.execution import Execution
from cgsim.models.model import ModelSettings
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.fit import Plan
from cgsim.train.module import TrainingSettings
from cgsim.train.source import Source
from cgsim.train.start import load_start, settings_of_start
from cgsim.units import UnitSystem, parse_time


def _duration(value: Any) -> Any:
    """Read ``"0.9 ns"`` or ``"4000 tau"``; a number is in the stores' unit of time already."""
    if not isinstance(value, str) or value == "Infinity":  # as JSON writes the end of all data
        return value
    try:
        return parse_time(value, UnitSystem.LJ if value.strip().endswith("tau") else UnitSystem.MOLECULAR)
    except InputError as error:
        raise ValueError(str(error)) from None


Duration = Annotated[float, BeforeValidator(_duration)]


class DataSettings(BaseModel):
    """Which trajectories.

    Attributes:
        train: stores to learn from; glob patterns are allowed, relative to the folder the program runs in.
        validation: held-out stores.
        begin: use frames from this time on.
        end: use frames up to this time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    train: tuple[str, ...] = Field(min_length=1)
    validation: tuple[str, ...] = ()
    begin: Duration = 0.0
    end: Duration = math.inf


class ExperimentModel(ModelSettings):
    """Architecture; the lag time may be written with its unit, ``"15 ps"`` or ``"25 tau"``."""

    lag_time: Duration = Field(gt=0)


class Experiment(BaseModel):
    """All settings of one experiment.

    Attributes:
        name: what the model is called.
        start_from: name of a model that ships, or folder of a trained one, relative to the folder the program runs in;
            training goes on from its weights, with its scales. Its ``mapping``, ``model``, ``sampler`` and ``training``
            stand for what is not given here, but for steps, warm-up, seed, execution and the interval of validation,
            which have their defaults; learning rates are a tenth of its own. Of ``mapping`` and ``model`` only the
            noise levels of the refiner may be others.
        units: unit system that the stores have to be in; taken from the units of the times here where not given.
        data: which trajectories.
        mapping: how atoms become beads.
        model: architecture.
        training: how it is trained.
        sampler: how draws are refined in simulations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    name: str
    start_from: str | None = Field(default=None, min_length=1, exclude_if=lambda value: value is None)
    units: UnitSystem | None = None
    data: DataSettings
    mapping: MappingSettings = MappingSettings()
    model: ExperimentModel
    training: TrainingSettings = TrainingSettings()
    sampler: SamplerSettings = SamplerSettings()

    def plan(self) -> Plan:
        """What the training run needs.

        Raises:
            InputError: if a pattern matches no file, or a file is in training and in validation.
        """
        begin, end = self.data.begin, self.data.end
        train, validation = _files(self.data.train), _files(self.data.validation)
        for path in validation:
            if path in train:
                raise InputError(f"data: {path} is in train and in validation, where it would prove nothing")
        return Plan(
            name=self.name,
            units=self.units,
            train=[Source(path, begin, end) for path in train],
            validation=[Source(path, 0.0, math.inf) for path in validation],
            mapping=self.mapping,
            model=ModelSettings(**{name: getattr(self.model, name) for name in ModelSettings.model_fields}),
            training=self.training,
            sampler=self.sampler,
            experiment=json.loads(self.model_dump_json()),
            start=load_start(self.start_from) if self.start_from else None,
        )


def load_experiment(path: Path, overrides: list[str]) -> Experiment:
    """Read an experiment.

    Args:
        path: YAML file.
        overrides: ``"model.lag_time=30 ps"``; the value is read as YAML.

    Raises:
        InputError: naming the file, the key, the value found and the nearest known key.
    """
    settings = read_yaml(path)
    for override in overrides:
        key, value = _read_override("--set", override, "training.steps=1000")
        _set(settings, key.split("."), value, override)
    units = _units_of_times(settings, path)
    if units is not None:
        settings.setdefault("units", units)
    start = settings.get("start_from")
    if isinstance(start, str) and start:
        settings = _merged(settings_of_start(load_start(start).card), settings)
    try:
        return Experiment.model_validate(settings)
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error, Experiment)}") from None


def _merged(base: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with those of ``base`` where they are silent, group by group."""
    both = {name: (base[name], value) for name, value in settings.items() if name in base}
    joint = {name: _merged(*pair) for name, pair in both.items() if all(isinstance(x, dict) for x in pair)}
    return {**base, **settings, **joint}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        InputError: if the file is missing, not YAML, or no mapping.
    """
    try:
        settings = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, expected a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f", line {line + 1}" if line is not None else ""
        raise InputError(f"{path}{where}: not YAML") from None
    if not isinstance(settings, dict):
        raise InputError(f"{path}: expected settings as 'key: value', found {type(settings).__name__}")
    return settings


def override_sampler(sampler: SamplerSettings, overrides: list[str]) -> SamplerSettings:
    """Change some settings of the refinement, given as ``"n_levels=4"``.

    Raises:
        InputError: naming the setting and the nearest known one; or if something else is to be scaled than what the
            model was calibrated for, whose scales would mean nothing.
    """
    settings = sampler.model_dump()
    for override in overrides:
        key, value = _read_override("--sampler", override, "n_levels=4")
        settings[key] = value
    try:
        changed = SamplerSettings.model_validate(settings)
    except ValidationError as error:
        raise InputError(f"--sampler: {explain(error, SamplerSettings)}") from None
    if changed.scaled not in ("none", sampler.scaled):
        raise InputError(
            f"--sampler scaled={changed.scaled}: the model was calibrated with scaled={sampler.scaled}; calibrate it "
            f"anew by cgsim train --resume --set sampler.scaled={changed.scaled}"
        )
    return changed


def choose_execution(*, compiled: bool, precision: str) -> Execution:
    """How networks are run.

    Raises:
        InputError: if there is no such precision.
    """
    try:
        return Execution.model_validate({"compile": compiled, "precision": precision})
    except ValidationError:
        raise InputError(f"--precision {precision}: unknown precision; known: float32, bfloat16") from None


def select_device(name: str) -> torch.device:
    """The device called ``cpu``, ``cuda``, ``cuda:1``, or the best one for ``auto``.

    Raises:
        InputError: if there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise InputError(f"device {name!r} is not available; known: auto, cpu, cuda") from None
    return device


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """One line for the first mistake that pydantic found."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = sorted(_fields(root, location[:-1]))
        return f"unknown key {key!r}{nearest(location[-1], known)}"
    if first["type"] == "missing":
        return f"key {key!r} is missing"
    message, found = first["msg"].removeprefix("Value error, "), first["input"]
    is_said = isinstance(found, dict) or "got" in message or repr(found) in message
    label = f"{key}: " if key else ""
    return f"{label}{message}" if is_said else f"{label}{message}, got {found!r}"


def _fields(model: type[BaseModel], location: list[str]) -> list[str]:
    for name in location:
        field = model.model_fields.get(name)
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        found = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not found:
            return list(model.model_fields)
        model = found[0]
    return list(model.model_fields)


def _read_override(option: str, override: str, example: str) -> tuple[str, Any]:
    """Key and value of ``KEY=VALUE``; the value is YAML."""
    key, separator, text = override.partition("=")
    if not separator:
        raise InputError(f"{option} {override}: expected KEY=VALUE, for example {example}")
    try:
        return key.strip(), yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"{option} {override}: {text!r} is not YAML") from None


def _units_of_times(settings: dict[str, Any], path: Path) -> UnitSystem | None:
    """The unit system in which the times of the settings are written; none if they are bare numbers."""
    found: dict[UnitSystem, str] = {}
    for group, key in (("model", "lag_time"), ("data", "begin"), ("data", "end")):
        value = settings[group].get(key) if isinstance(settings.get(group), dict) else None
        if isinstance(value, str) and value != "Infinity":
            units = UnitSystem.LJ if value.strip().endswith("tau") else UnitSystem.MOLECULAR
            found[units] = f"{group}.{key} is {value!r}"
    if len(found) > 1:
        raise InputError(f"{path}: {' but '.join(found.values())}: times must be in one system of units")
    return next(iter(found), None)


def _set(settings: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    for key in keys[:-1]:
        settings = settings.setdefault(key, {})
        if not isinstance(settings, dict):
            raise InputError(f"--set {override}: {key!r} is a value, not a group of settings")
    settings[keys[-1]] = value


def _files(patterns: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        matches = (
            sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
            if any(sign in pattern for sign in "*?[")
            else [path]
        )
        if not matches:
            raise InputError(f"data: {pattern!r} matches no file")
        found += matches
    return found
