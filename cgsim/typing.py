"""Array types used in signatures; the shape stands in the annotation (jaxtyping) and is checked in the tests."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Inexact, Int, Int32, Int64
from torch import Tensor

Array: TypeAlias = np.ndarray

__all__ = ["Array", "Bool", "Float", "Float32", "Float64", "Inexact", "Int", "Int32", "Int64", "Tensor"]
