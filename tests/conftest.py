"""Shape annotations are checked in every test run, except for tests of torch.compile, which runs without the hook."""

import sys

from jaxtyping import install_import_hook

if "compile" not in sys.argv:
    _hook = install_import_hook("cgsim", "beartype.beartype")
