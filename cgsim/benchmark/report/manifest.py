"""The manifest ``run.json`` of a run folder: which MD belongs to which rollout, and the table of figures."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cgsim.errors import InputError

MANIFEST = "run.json"
END = "end"


class TableRow(BaseModel):
    """One figure of one system, from every source that has it; an error of None is not known.

    Attributes:
        system: name of the system.
        figure: what it is (``"self-diffusivity of Li"``).
        unit: of all values.
        cgsim, cgsim_error: from rollouts.
        md, md_error: from the reference MD.
        short_md, short_md_error: from MD as long as the training data.
        note: what a reader must know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    figure: str
    unit: str = ""
    cgsim: float | None = None
    cgsim_error: float | None = None
    md: float | None = None
    md_error: float | None = None
    short_md: float | None = None
    short_md_error: float | None = None
    note: str = ""


class MdSpeed(BaseModel):
    """How fast the reference MD runs.

    Attributes:
        engine: program.
        machine: what it ran on.
        value: simulated time per day of wall time.
        unit: of that time, ``"ns"`` or ``"tau"``; ``"ns/day"`` is the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str = "MD"
    machine: str = ""
    value: float = Field(gt=0)
    unit: str


class Manifest(BaseModel):
    """What a run consists of; paths are absolute or relative to the run folder.

    Attributes:
        title: headline of the report.
        task: kind of task (``"chains"``, ``"electrolyte"``).
        md: store of the reference MD of each system.
        rollouts: stores of the rollouts of each system, its replicas.
        short_md: store of each system's short MD; the key ``"end"`` may hold a time, from the first frame, up to which
            those stores count.
        equilibration: time left out at the start of every rollout, with unit; empty for none.
        temperature: K, for conductivities, unless the stores state it.
        table: figures to compare.
        md_time_per_day: speed of the reference MD.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    task: str = ""
    md: dict[str, str] = Field(default_factory=dict)
    rollouts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    short_md: dict[str, str | float] = Field(default_factory=dict)
    equilibration: str = ""
    temperature: float | None = Field(default=None, gt=0)
    table: tuple[TableRow, ...] = ()
    md_time_per_day: MdSpeed | None = None

    @property
    def short_md_files(self) -> dict[str, str]:
        """Store of each system's short MD."""
        return {name: value for name, value in self.short_md.items() if isinstance(value, str)}

    @property
    def short_md_end(self) -> float:
        """Time up to which the short MD counts, from its first frame; infinite if the whole does."""
        end = self.short_md.get(END)
        return float(end) if isinstance(end, int | float) else float("inf")


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a run folder; None if there is none.

    Raises:
        InputError: if it is not JSON, or a key or value is not what is expected.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        document: Any = json.loads(path.read_text())
        return Manifest.model_validate(document)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path}{line}: not JSON, expected the manifest of a run") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where or 'file'}: {first['msg']}") from None
