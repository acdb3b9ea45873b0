"""The electrolyte that ships, where other packages may write beside it."""

from pathlib import Path

import pytest

PEO = Path(__file__).parents[2] / "data" / "peo_litfsi_450K"


@pytest.fixture(scope="session")
def peo_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Topology and trajectory, linked: MDAnalysis writes an index of frames beside what it reads."""
    folder = tmp_path_factory.mktemp("peo_files")
    links = folder / "prod.tpr", folder / "prod.xtc"
    for link in links:
        link.symlink_to(PEO / link.name)
    return links
