"""AM1-BCC charges (Jakalian et al., J. Comput. Chem. 23, 1623 (2002)) with antechamber and sqm of AmberTools."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from rdkit import Chem

from cgsim.errors import InputError
from cgsim.typing import Array, Float64

INSTALL = (
    "`conda install -c conda-forge ambertools`, or `pip install acpype` together with the system package libarpack2 "
    "(apt) or arpack (dnf)"
)
# One AM1 calculation on the given geometry: relaxing with AM1 takes minutes and changes the charges little.
KEYWORDS = "qm_theory='AM1', maxcyc=0, grms_tol=0.0005, scfconv=1.d-8,"
TIMEOUT = 1800  # s
BUNDLES = ("amber_linux", "amber_macos")  # in the package acpype


def find_antechamber() -> Path | None:
    """The program: of ``$AMBERHOME``, on the path, or the one that the package acpype brings."""
    candidates = []
    if home := os.environ.get("AMBERHOME"):
        candidates.append(Path(home) / "bin" / "antechamber")
    if found := shutil.which("antechamber"):
        candidates.append(Path(found))
    specification = importlib.util.find_spec("acpype")
    for folder in (specification.submodule_search_locations or []) if specification else []:
        bundle = BUNDLES[1] if os.uname().sysname == "Darwin" else BUNDLES[0]
        candidates.append(Path(folder) / bundle / "bin" / "antechamber")
    return next((path for path in candidates if path.is_file()), None)


def am1bcc_charges(mol: Chem.Mol) -> Float64[Array, " atoms"]:
    """Charges of a neutral molecule with one conformation, e.

    Raises:
        InputError: if antechamber is missing, does not start or fails; gives the last thing that it said.
    """
    program = find_antechamber()
    if program is None:
        raise InputError(f"AM1-BCC charges need antechamber: {INSTALL}")
    environment = {**os.environ, "AMBERHOME": str(program.resolve().parent.parent), "OMP_NUM_THREADS": "1"}
    command = [
        str(program),
        "-i",
        "mol.sdf",
        "-fi",
        "sdf",
        "-o",
        "mol.mol2",
        "-fo",
        "mol2",
        "-c",
        "bcc",
        "-at",
        "gaff2",
    ]
    command += ["-nc", "0", "-s", "0", "-pf", "n", "-ek", KEYWORDS]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "mol.sdf").write_text(Chem.MolToMolBlock(mol) + "$$$$\n")
        try:
            done = subprocess.run(
                command, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{program}: {error}; expected AM1-BCC charges: {INSTALL}") from None
        output = work / "mol.mol2"
        if done.returncode or not output.exists():
            log = (done.stderr + done.stdout).strip().splitlines()
            raise InputError(f"{program} failed: {_reason(log)}; try {INSTALL}")
        return _mol2_charges(output.read_text())


def _reason(log: list[str]) -> str:
    telling = [line.strip() for line in log if "rror" in line or "cannot" in line or "Fatal" in line]
    return (telling or log or ["no output"])[-1].strip()


def _mol2_charges(text: str) -> Float64[Array, " atoms"]:
    block = text.split("@<TRIPOS>ATOM")[1].split("@<TRIPOS>")[0]
    return np.array([float(line.split()[8]) for line in block.strip().splitlines()])
