"""What generated tests assert: comparisons that raise `AssertionError` with the numbers.

Each function takes tensors or a model and returns nothing; a failure names the tensor, the
place, the size of the difference, the tolerance and where the tolerance comes from.
"""

from rpgen.checks.arguments import (
    assert_arguments,
    assert_every_input_matters,
    assert_rows_stand_alone,
)
from rpgen.checks.baselines import assert_as_in_baseline, if_recorded
from rpgen.checks.compare import assert_close, assert_different, assert_same
from rpgen.checks.copies import assert_agrees_with_fresh_copy, assert_survives_saving
from rpgen.checks.fitting import images_that_fit
from rpgen.checks.generation import (
    assert_cache_agrees,
    assert_generates,
    assert_generation_ends,
    assert_generation_ignores_cache,
    assert_generation_ignores_left_padding,
    assert_generation_ignores_padding,
    assert_no_look_ahead,
)
from rpgen.checks.gradients import assert_gradients_arrive
from rpgen.checks.implementations import Difference, Validation, validate
from rpgen.checks.influence import assert_every_part_matters, assert_every_token_matters
from rpgen.checks.level import scale_for
from rpgen.checks.memory import assert_memory_as_predicted
from rpgen.checks.model import assert_on_device, assert_ready, assert_whole
from rpgen.checks.outputs import assert_alive, assert_finite, assert_shape, main_output
from rpgen.checks.parts import (
    assert_pads_and_truncates,
    assert_part_agrees,
    assert_reads_images,
    assert_reads_sounds,
    assert_round_trip,
    assert_tokenizer_fits,
)
from rpgen.checks.promises import assert_promised_outputs
from rpgen.checks.repeating import (
    assert_keeps_no_memory,
    assert_leaves_torch_alone,
    assert_repeatable,
)
from rpgen.checks.state import switches_now
from rpgen.checks.tolerance import Tolerance, tolerance_for
from rpgen.checks.training import assert_a_training_step_helps
from rpgen.checks.variants import (
    assert_attention_implementations_agree,
    assert_half_precision_is_close,
    has_several_attentions,
)

__all__ = [
    "Difference",
    "Tolerance",
    "Validation",
    "assert_a_training_step_helps",
    "assert_agrees_with_fresh_copy",
    "assert_alive",
    "assert_arguments",
    "assert_as_in_baseline",
    "assert_attention_implementations_agree",
    "assert_cache_agrees",
    "assert_close",
    "assert_different",
    "assert_every_input_matters",
    "assert_every_part_matters",
    "assert_every_token_matters",
    "assert_finite",
    "assert_generates",
    "assert_generation_ends",
    "assert_generation_ignores_cache",
    "assert_generation_ignores_left_padding",
    "assert_generation_ignores_padding",
    "assert_gradients_arrive",
    "assert_half_precision_is_close",
    "assert_keeps_no_memory",
    "assert_leaves_torch_alone",
    "assert_memory_as_predicted",
    "assert_no_look_ahead",
    "assert_on_device",
    "assert_pads_and_truncates",
    "assert_part_agrees",
    "assert_promised_outputs",
    "assert_reads_images",
    "assert_reads_sounds",
    "assert_ready",
    "assert_repeatable",
    "assert_round_trip",
    "assert_rows_stand_alone",
    "assert_same",
    "assert_shape",
    "assert_survives_saving",
    "assert_tokenizer_fits",
    "assert_whole",
    "has_several_attentions",
    "if_recorded",
    "images_that_fit",
    "main_output",
    "scale_for",
    "switches_now",
    "tolerance_for",
    "validate",
]
