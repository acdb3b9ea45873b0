"""Shape annotations are checked in every test; drawn examples are the same in every run."""

import atexit
import os
import shutil
import tempfile

from hypothesis import settings
from jaxtyping import install_import_hook

# What training caches goes with the tests.
os.environ["CGSIM_CACHE"] = tempfile.mkdtemp(prefix="cgsim-tests-")
atexit.register(shutil.rmtree, os.environ["CGSIM_CACHE"], ignore_errors=True)

_hook = install_import_hook("cgsim", "beartype.beartype")

# A run tells about the code, not about luck; `pytest --hypothesis-profile=default` draws new examples.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
