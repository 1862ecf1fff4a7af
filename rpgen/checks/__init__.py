"""What generated tests assert: comparisons that raise `AssertionError` with the numbers.

Each function takes tensors or a model and returns nothing; a failure names the tensor, the
place, the size of the difference, the tolerance and where the tolerance comes from.
"""

from rpgen.checks.compare import assert_close, assert_different
from rpgen.checks.model import assert_on_device, assert_whole
from rpgen.checks.outputs import assert_finite, assert_shape, main_output
from rpgen.checks.tolerance import Tolerance, tolerance_for

__all__ = [
    "Tolerance",
    "assert_close",
    "assert_different",
    "assert_finite",
    "assert_on_device",
    "assert_shape",
    "assert_whole",
    "main_output",
    "tolerance_for",
]
