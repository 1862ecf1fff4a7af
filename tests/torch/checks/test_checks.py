from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from rpgen import checks
from rpgen.checks.model import depth_of


class Config:
    num_hidden_layers = 3
    sub_configs = ()


def model() -> nn.Module:
    made = nn.Linear(4, 4)
    made.config = Config()
    return made


def test_rounding_passes_and_a_difference_names_place_and_size() -> None:
    expected = torch.linspace(-1, 1, 12).reshape(3, 4)
    checks.assert_close(expected + 1e-6, expected, "logits", model())
    wrong = expected.clone()
    wrong[1, 2] += 0.5
    with pytest.raises(AssertionError, match=r"logits: differs by 0\.5 at \[1, 2\].*1 of 12"):
        checks.assert_close(wrong, expected, "logits", model())


def test_the_tolerance_follows_the_spread_of_the_reference() -> None:
    small = torch.linspace(-1e-3, 1e-3, 12)
    with pytest.raises(AssertionError):
        checks.assert_close(small + 1e-5, small, "small", model())
    large = small * 1e6
    checks.assert_close(large + 1e-5, large, "large", model())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_never_close(value: float) -> None:
    expected = torch.ones(4)
    expected[2] = 0
    actual = expected.clone()
    actual[3] = value
    with pytest.raises(AssertionError, match=r"at \[3\]"):
        checks.assert_close(actual, expected, "x")
    with pytest.raises(AssertionError, match=r"at \[3\]"):
        checks.assert_close(actual, actual, "both broken alike")


def test_shapes_and_emptiness_are_failures() -> None:
    with pytest.raises(AssertionError, match=r"shape \(1, 3\) instead of \(3,\)"):
        checks.assert_close(torch.ones(1, 3), torch.ones(3), "x")
    with pytest.raises(AssertionError, match="nothing to compare"):
        checks.assert_close(torch.ones(0), torch.ones(0), "x")


def test_integers_are_equal_or_not() -> None:
    checks.assert_close(torch.arange(3), torch.arange(3), "ids")
    with pytest.raises(AssertionError, match=r"1 of 3 values differ, first at \[1\]: 7 instead"):
        checks.assert_close(torch.tensor([0, 7, 2]), torch.arange(3), "ids")


def test_half_precision_gets_its_own_rounding() -> None:
    expected = torch.linspace(-1, 1, 64)
    off = expected + 5e-3
    checks.assert_close(off.half(), expected.half(), "half", model())
    with pytest.raises(AssertionError, match="float32"):
        checks.assert_close(off, expected, "single", model())


def test_different_means_more_than_rounding() -> None:
    first = torch.linspace(-1, 1, 8)
    checks.assert_different(first, first.flip(0), "flipped")
    with pytest.raises(AssertionError, match="nothing changed"):
        checks.assert_different(first, first + 1e-7, "rounded")
    with pytest.raises(AssertionError, match="nothing changed"):
        checks.assert_different(torch.arange(3), torch.arange(3), "ids")


def test_finite_looks_everywhere() -> None:
    checks.assert_finite({"logits": torch.ones(2), "ids": torch.arange(2)})
    nested = {"states": (torch.ones(2), [torch.tensor([1.0, float("nan")])])}
    with pytest.raises(AssertionError, match=r"outputs\.states\[1\]\[0\]: 1 of 2.*\[1\]"):
        checks.assert_finite(nested)
    with pytest.raises(AssertionError, match="no floating tensor"):
        checks.assert_finite({"ids": torch.arange(2)})


def test_a_class_that_is_shut_out_for_all_is_no_broken_value() -> None:
    logits = torch.ones(2, 3, 4)
    logits[..., 1] = -torch.inf
    checks.assert_finite({"logits": logits, "enc_outputs_class": logits})
    checks.assert_close(logits, logits.clone(), "it")
    one = logits.clone()
    one[0, 0, 1] = 0.0
    for broken in (one, torch.full((2, 4), -torch.inf), -logits):
        with pytest.raises(AssertionError, match="NaN or infinite"):
            checks.assert_finite({"logits": broken})
    with pytest.raises(AssertionError, match="NaN or infinite"):
        checks.assert_finite({"last_hidden_state": logits})
    with pytest.raises(AssertionError, match="differs by inf"):
        checks.assert_close(-logits, logits, "it")


def test_shapes_may_leave_sizes_open() -> None:
    checks.assert_shape(torch.ones(2, 5, 7), (2, None, 7), "logits")
    with pytest.raises(AssertionError, match=r"\(2, 5\) instead of \(2, any, 7\)"):
        checks.assert_shape(torch.ones(2, 5), (2, None, 7), "logits")


def test_a_whole_model_has_all_its_keys_and_only_numbers() -> None:
    whole = model()
    checks.assert_whole(whole)
    whole.rpgen_loading_info = {"missing_keys": {"head.weight"}, "unexpected_keys": set()}
    with pytest.raises(AssertionError, match=r"missing keys: head\.weight"):
        checks.assert_whole(whole)
    broken = model()
    with torch.no_grad():
        broken.weight[1, 1] = float("nan")
    with pytest.raises(AssertionError, match=r"weight \(1 of 16 values\)"):
        checks.assert_whole(broken)


def test_a_tensor_on_another_device_is_named() -> None:
    checks.assert_on_device(model(), "cpu")
    with pytest.raises(AssertionError, match="weight is on cpu"):
        checks.assert_on_device(model(), "meta")


def test_depth_counts_the_layers_of_all_parts() -> None:
    assert depth_of(None) == 1
    assert depth_of(model()) == 3


def test_tokens_that_are_shut_out_do_not_widen_the_tolerance() -> None:
    """-3.4e38 in a few places once allowed any difference in the others."""
    logits = torch.linspace(-1, 1, 64).reshape(2, 32)
    logits[:, 5:9] = torch.finfo(torch.float32).min
    checks.assert_close(logits, logits.clone(), "it")
    other = logits.clone()
    other[0, 0] += 0.5
    with pytest.raises(AssertionError, match="1 of 64 values"):
        checks.assert_close(other, logits, "it")
    checks.assert_different(other, logits, "it")
    half = logits.to(torch.bfloat16)
    half[:, 5:9] = torch.finfo(torch.bfloat16).min
    checks.assert_close(half, logits, "it")
    opened = logits.clone()
    opened[1, 6] = 0.0
    with pytest.raises(AssertionError, match=r"at \[1, 6\]"):
        checks.assert_close(opened, logits, "it")


class _Painter:
    """An image processor that scales, and turns the channels if it is told to; it may also say
    that it does."""

    def __init__(self, *, turns: bool, says: bool) -> None:
        self._turns = turns
        if says:
            self.do_flip_channel_order = True

    def __call__(self, images: Any, return_tensors: str) -> dict[str, torch.Tensor]:
        pixels = [torch.tensor(image.getpixel((0, 0))) / 255.0 for image in images]
        rows = torch.stack([each.flip(0) if self._turns else each for each in pixels])
        return {"pixel_values": rows[:, :, None, None].expand(-1, 3, 8, 8)}


def test_pictures_come_out_in_the_one_size_unless_they_keep_their_own() -> None:
    keeps, model = _Painter(turns=False, says=False), SimpleNamespace()
    model.config = SimpleNamespace(image_size=16)
    checks.assert_reads_images(keeps, model)
    for way in ({"do_resize": True}, {"do_center_crop": True, "size": {"shortest_edge": 8}}):
        vars(keeps).update(way)
        with pytest.raises(AssertionError, match=r"as \(8, 8\), the model takes \(16, 16\)"):
            checks.assert_reads_images(keeps, model)
    keeps.do_center_crop, keeps.size = False, {"longest_edge": 8}
    checks.assert_reads_images(keeps, model)


@pytest.mark.parametrize(("turns", "says"), [(False, False), (True, True)])
def test_channels_stand_as_the_processor_says(turns: bool, says: bool) -> None:
    checks.assert_reads_images(_Painter(turns=turns, says=says))
    with pytest.raises(AssertionError, match=r"lights channel 2 most, not 0: .* (red|blue)\?"):
        checks.assert_reads_images(_Painter(turns=not turns, says=says))
