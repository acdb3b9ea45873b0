"""One figure or curve out of a document of results."""

from typing import Any

import numpy as np


def find(results: dict[str, Any], name: str, species: str, method: str = "") -> dict[str, Any]:
    """The one figure of that name, species and method; of any method if none is given."""
    wanted = (name, species)
    found = [f for f in results["figures"] if (f["name"], f["species"]) == wanted and method in ("", f["method"])]
    assert len(found) == 1, (
        *wanted,
        method,
        sorted((f["name"], f["species"], f["method"]) for f in results["figures"]),
    )
    return dict(found[0])


def curve(results: dict[str, Any], kind: str, species: str) -> dict[str, Any]:
    """The one curve of that kind and species, its columns as arrays."""
    (found,) = [c for c in results["curves"][kind] if c["species"] == species]
    return {name: np.array(values) if isinstance(values, list) else values for name, values in found.items()}
