from pathlib import Path

import pytest
from systems import rouse_store


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> Path:
    """Three Rouse chains to learn from."""
    folder = tmp_path_factory.mktemp("stores")
    for seed, name in enumerate(("a", "b", "held-out")):
        rouse_store(folder / f"{name}.h5", 4, 60, seed=seed)
    return folder
