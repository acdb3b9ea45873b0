"""`cgsim generate electrolyte`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cgsim.reference.electrolyte.run import PartDone
    from cgsim.reference.electrolyte.settings import ElectrolyteSettings

SYSTEMS = "systems"
NS = 1e-3  # in a ps
WORK = typer.Option(help="Folder of the runs; a killed run goes on there. [default: runs/generate/NAME of output]")


def electrolyte(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the stores, one for each system.")],
    config: Annotated[
        Path | None, typer.Option(help="Settings, YAML, of one system or a set; see configs/generate/.")
    ] = None,
    smiles: Annotated[str | None, typer.Option(help="Repeat unit with its two ends marked by *: '*COC*'.")] = None,
    salt: Annotated[str | None, typer.Option(help="LiTFSI, LiFSI, LiPF6, or with Na instead of Li.")] = None,
    molality: Annotated[float | None, typer.Option(help="mol of salt in a kg of polymer.")] = None,
    chains: Annotated[int | None, typer.Option(help="Chains in the box.")] = None,
    chain_mass: Annotated[float | None, typer.Option(help="Mass of a chain, g/mol.")] = None,
    temperature: Annotated[float | None, typer.Option(help="K.")] = None,
    length: Annotated[str | None, typer.Option(help="Time of the trajectory: '1 ns'.")] = None,
    save_interval: Annotated[str | None, typer.Option(help="Time between frames: '2 ps'.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of shapes, packing and velocities.")] = None,
    start: Annotated[int | None, typer.Option(help="Number of the packing: another is an independent start.")] = None,
    engine: Annotated[str | None, typer.Option(help="auto, gromacs, lammps or openmm.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of one engine.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this system of a set; repeatable.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Engines running at a time.")] = 1,
    work: Annotated[Path | None, WORK] = None,
) -> None:
    """Make polymer electrolytes atom by atom; the same command again goes on where it was killed.

    Options stand above the settings file.
    """
    from cgsim.reference.electrolyte.engines import choose_engine
    from cgsim.reference.electrolyte.generate import SystemDone, generate_electrolytes, write_reference
    from cgsim.reference.electrolyte.measure import summary

    given = {
        "smiles": smiles,
        "salt": salt,
        "molality": molality,
        "n_chains": chains,
        "chain_mass": chain_mass,
        "temperature": temperature,
        "length": length,
        "save_interval": save_interval,
        "seed": seed,
        "start": start,
        "engine": engine,
        "threads": threads,
    }
    given = {name: value for name, value in given.items() if value is not None}
    every = load_systems(config, given, output.resolve().name)
    systems = _selected(every, only or [])
    engines = {name: choose_engine(settings.engine) for name, settings in systems.items()}
    typer.echo(f"engine   {', '.join(sorted({md.engine.version for md in engines.values()}))}")
    folder = work or Path("runs/generate") / output.resolve().name
    with _progress(systems) as report:
        for event in generate_electrolytes(systems, output, folder, engines, processes):
            if isinstance(event, SystemDone):
                typer.echo("\n".join(summary(event.system, event.document)))
                write_reference(output, list(every))
            else:
                report(event)
    typer.echo(f"systems  {len(systems)} in {output}")
    typer.echo(f"figures  {write_reference(output, list(every))}")


def load_systems(config: Path | None, given: dict[str, Any], name: str) -> "dict[str, ElectrolyteSettings]":
    """Read settings: those of one system, or of a set under ``systems``.

    Args:
        config: YAML file; its keys hold for all systems of a set unless a system has its own.
        given: stands above the file.
        name: of the system, where there is only one.

    Raises:
        InputError: naming the file, the system, the key, the value found and the nearest known key.
    """
    from cgsim.config import read_yaml
    from cgsim.errors import InputError

    shared = read_yaml(config) if config else {}
    listed = shared.pop(SYSTEMS, None)
    where = str(config) if config else "cgsim generate electrolyte"
    if listed is None:
        return {name: _validated(_merged(shared, given), where)}
    if not isinstance(listed, dict) or not listed:
        raise InputError(f"{where}: {SYSTEMS} must name at least one system, as 'NAME: {{smiles: ...}}'")
    systems = {}
    for key, own in listed.items():
        label = f"{where}: {SYSTEMS}.{key}"
        if not isinstance(own, dict):
            raise InputError(f"{label}: expected settings as 'key: value', found {own!r}")
        if not all(letter.isalnum() or letter in "-_." for letter in str(key)) or str(key).startswith("."):
            raise InputError(f"{label}: a name is made of letters, digits, '-', '_' and '.', as it names files")
        systems[str(key)] = _validated(_merged(_merged(shared, own), given), label)
    return systems


def _selected(systems: "dict[str, ElectrolyteSettings]", only: list[str]) -> "dict[str, ElectrolyteSettings]":
    from cgsim.errors import InputError, nearest

    for name in only:
        if name not in systems:
            raise InputError(f"--only {name}: no such system{nearest(name, list(systems))}")
    return {name: settings for name, settings in systems.items() if not only or name in only}


def _validated(settings: dict[str, Any], where: str) -> "ElectrolyteSettings":
    from pydantic import ValidationError

    from cgsim.config import explain
    from cgsim.errors import InputError
    from cgsim.reference.electrolyte.settings import ElectrolyteSettings

    if settings.get("ion_pairs") is not None and "molality" not in settings:
        settings = {**settings, "molality": None}
    try:
        return ElectrolyteSettings.model_validate(settings)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error, ElectrolyteSettings)}") from None


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Settings of ``above`` over those of ``below``, key by key also inside groups."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


@contextmanager
def _progress(systems: "dict[str, ElectrolyteSettings]") -> Iterator["Callable[[PartDone], None]"]:
    """Show the progress of all systems; a part that two of them share counts once."""
    from cgsim.cli.progress import engine_progress
    from cgsim.reference.electrolyte.protocol import parts

    total = sum(p.stage.time for settings in systems.values() for p in parts(settings, settings.n_segments))
    seen: set[tuple[str, str]] = set()
    with engine_progress(total * NS, "ns") as advance:

        def report(done: "PartDone") -> None:
            if (done.system, done.part) not in seen:
                seen.add((done.system, done.part))
                advance(f"{done.system} {done.part}", done.simulated * NS, done.seconds > 0)

        yield report
