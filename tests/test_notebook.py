"""The notebook that ships runs from top to bottom, and ships without outputs."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
LONGEST_CELL = 900  # s, on a loaded machine; alone the whole notebook takes less than a minute


def test_notebook_ships_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")  # of the Jupyter machinery; the cells run in a process of their own
def test_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    for name in ("data", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, value in {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a kernel draws into the notebook unless told otherwise
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=LONGEST_CELL, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    drawings = [
        o.data["text/html"] for c in notebook.cells for o in c.get("outputs", []) if "text/html" in o.get("data", {})
    ]
    assert sum("<svg" in drawing for drawing in drawings) == 3  # polymer, TFSI, Li
    pictures = [o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 1
    results = json.loads((folder / "quickstart-run" / "results.json").read_text())
    assert {f["system"] for f in results["figures"] if f["name"] == "self_diffusivity"} == {"beads", "rollout"}
