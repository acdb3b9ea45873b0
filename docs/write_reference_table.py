"""Writes the table of docs/reference-data.md from the reference values of spe-450K: make docs."""

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("reference-data.md")
DATA = Path(__file__).parents[1] / "data" / "spe-450K"
BEGIN, END = "<!-- table of spe-450K -->\n", "<!-- end of table -->\n"
HEAD = """| set | system | repeat unit | mol/kg | ns | density, g/cm3 | D Li, 1e-6 cm2/s | D TFSI, 1e-6 cm2/s |
|---|---|---|---|---|---|---|---|
"""
NONE = "No values yet: the set has not been made.\n"
DIFFUSIVE = "diffusive"


def page(data: Path = DATA) -> str:
    """The whole page, with the table as the data have it."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(data)}{END}{after}"


def table(data: Path) -> str:
    """One row for each system of each file `*reference.json`."""
    rows = []
    for path in sorted(data.glob("**/*reference.json"), reverse=True):
        name = path.name.removesuffix("reference.json").rstrip("-") or path.parent.name
        for system, document in json.loads(path.read_text())["systems"].items():
            rows.append(_row(name, system, document))
    return HEAD + "".join(rows) if rows else NONE


def _row(name: str, system: str, document: dict[str, Any]) -> str:
    settings, values = document["provenance"]["settings"], document["values"]
    cells = [
        name,
        system,
        f"`{settings['smiles']}`",
        f"{settings['molality']:g}" if settings["molality"] else "",
        f"{document['length_ns']:g}",
        _value(document["checks"]["density"], 1.0, 3),
        *(_value(values.get(f"self_diffusivity {ion}"), 1e6, 2) for ion in ("Li", "TFSI")),
    ]
    return f"| {' | '.join(cells)} |\n"


def _value(value: dict[str, Any] | None, factor: float, decimals: int) -> str:
    """A value with its error; marked where it is an apparent one."""
    if value is None or value["value"] is None:
        return ""
    error = f" ± {value['standard_error'] * factor:.{decimals}f}" if value["standard_error"] is not None else ""
    mark = "" if value.get("regime", DIFFUSIVE) == DIFFUSIVE else " *"
    return f"{value['value'] * factor:.{decimals}f}{error}{mark}"


if __name__ == "__main__":
    PAGE.write_text(page())
