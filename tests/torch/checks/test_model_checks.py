"""The checks of models by themselves: what they say, and when they keep quiet."""

import functools
import unittest
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rpgen import checks
from rpgen.checks.copies import tell_difference
from rpgen.checks.level import asked_level
from rpgen.checks.told import TOLD
from rpgen.checks.tolerance import computed_in, tolerance_for
from rpgen.errors import UsageError
from rpgen.models import Checkpoint

GPT2 = Checkpoint("gpt2", "AutoModelForCausalLM", "gpt2", weights="tiny")
IDS = torch.tensor([[5, 9, 300, 17, 42, 8, 77, 23]])


@pytest.fixture(autouse=True)
def of_no_file() -> None:
    """What an earlier test's file was told counts no longer."""
    TOLD.reset()


@pytest.fixture
def gpt2() -> Any:
    return GPT2.load_model()


def inputs() -> dict[str, torch.Tensor]:
    return {"input_ids": IDS.clone(), "attention_mask": torch.ones_like(IDS)}


def test_a_fresh_copy_names_the_weight_and_the_place(gpt2: Any) -> None:
    checks.assert_agrees_with_fresh_copy(gpt2, GPT2, inputs())
    gpt2.transformer.h[1].mlp.c_fc.weight.data[3, 5] += 1
    with pytest.raises(AssertionError, match=r"h\.1\.mlp\.c_fc\.weight: 1 of .* at \[3, 5\]"):
        checks.assert_agrees_with_fresh_copy(gpt2, GPT2, inputs())


def test_a_lost_tensor_shows_when_it_is_saved(gpt2: Any) -> None:
    checks.assert_survives_saving(gpt2, inputs())
    full = gpt2.state_dict

    def short() -> dict[str, torch.Tensor]:
        state = full()
        state.pop("transformer.h.0.ln_1.weight")
        return dict(state)

    gpt2.state_dict = short
    with pytest.raises(AssertionError, match=r"not in the saved files: transformer\.h\.0\.ln_1"):
        checks.assert_survives_saving(gpt2, inputs())


def test_looking_ahead_names_the_position(gpt2: Any) -> None:
    checks.assert_no_look_ahead(gpt2, inputs())
    block = gpt2.transformer.h[0]
    plain = block.forward
    block.forward = lambda *args, **more: plain(*args, **more).roll(-1, 1)
    with pytest.raises(AssertionError, match="positions before 1, where the text was changed"):
        checks.assert_no_look_ahead(gpt2, inputs())


def test_a_token_that_nobody_sees(gpt2: Any) -> None:
    checks.assert_every_token_matters(gpt2, inputs())
    plain = gpt2.forward

    def deaf(input_ids: torch.Tensor, **more: Any) -> Any:
        heard = input_ids.clone()
        heard[:, 3:] = 1
        return plain(input_ids=heard, **more)

    gpt2.forward = deaf
    with pytest.raises(AssertionError, match=r"token \d of 8 became another: nothing changed"):
        checks.assert_every_token_matters(gpt2, inputs())


def test_kept_tensors_and_changed_inputs_are_told(gpt2: Any) -> None:
    kept: list[Any] = []

    def forward(given: Any) -> Any:
        with torch.inference_mode():
            return gpt2(**given)

    def hoards(given: Any) -> Any:
        kept.append(forward(given).logits)
        return forward(given)

    def spoils(given: Any) -> Any:
        given["input_ids"][0, 2] = 1
        return forward(given)

    checks.assert_keeps_no_memory(forward, inputs())
    with pytest.raises(AssertionError, match=r"each run leaves \d+ tensors behind"):
        checks.assert_keeps_no_memory(hoards, inputs())
    checks.assert_repeatable(forward, inputs())
    with pytest.raises(AssertionError, match=r"inputs\.input_ids was changed by the model"):
        checks.assert_repeatable(spoils, inputs())


def test_checks_leave_the_model_as_it_was(gpt2: Any) -> None:
    from rpgen.checks.state import ModelState, changes

    before = ModelState.of(gpt2)
    attention = gpt2.config._attn_implementation
    checks.assert_half_precision_is_close(gpt2, inputs())
    checks.assert_attention_implementations_agree(gpt2, inputs())
    checks.assert_gradients_arrive(gpt2, inputs())
    checks.assert_promised_outputs(gpt2, inputs())
    checks.assert_generates(gpt2, inputs(), 4)
    assert changes(before, ModelState.of(gpt2)) == []
    assert all(parameter.grad is None for parameter in gpt2.parameters())
    assert gpt2.config._attn_implementation == attention


def test_a_buffer_that_a_run_replaces_comes_back_as_it_was(gpt2: Any) -> None:
    table = torch.tensor([0.99805])
    gpt2.register_buffer("table", table, persistent=False)
    plain = gpt2.forward

    def recasting(input_ids: torch.Tensor, **more: Any) -> Any:
        gpt2.table = gpt2.table.to(gpt2.dtype)
        return plain(input_ids=input_ids, **more)

    gpt2.forward = recasting
    checks.assert_half_precision_is_close(gpt2, inputs())
    assert gpt2.table is table


def test_half_precision_says_nothing_where_rounding_untrained_weights_moves_as_far(
    gpt2: Any,
) -> None:
    plain = gpt2.forward

    def steep(**inputs: Any) -> Any:
        outputs = plain(**inputs)
        outputs.logits = torch.sin(1e4 * outputs.logits.float())
        return outputs

    gpt2.forward, gpt2.rpgen_untrained = steep, False
    with pytest.raises(AssertionError, match="in bf16: "):
        checks.assert_half_precision_is_close(gpt2, inputs())
    gpt2.rpgen_untrained = True
    with pytest.raises(unittest.SkipTest, match="bf16 says nothing of weights that nobody trained"):
        checks.assert_half_precision_is_close(gpt2, inputs())


def test_a_fault_of_half_precision_is_seen_in_untrained_weights_too(gpt2: Any) -> None:
    plain = gpt2.forward

    def faulty(**inputs: Any) -> Any:
        outputs = plain(**inputs)
        outputs.logits = outputs.logits * (1.0 if gpt2.dtype == torch.float32 else 1.5)
        return outputs

    gpt2.forward, gpt2.rpgen_untrained = faulty, True
    with pytest.raises(AssertionError, match="in bf16: "):
        checks.assert_half_precision_is_close(gpt2, inputs())


def test_a_norm_that_half_precision_cannot_hold_says_nothing_of_untrained_weights(
    gpt2: Any,
) -> None:
    plain = gpt2.forward

    def forward(**inputs: Any) -> Any:
        outputs = plain(**inputs)
        faded = outputs.logits * 1e-7 * 1e-3
        outputs.logits = outputs.logits + 1e-3 * torch.nn.functional.normalize(faded, dim=-1)
        return outputs

    gpt2.forward, gpt2.rpgen_untrained = forward, False
    with pytest.raises(AssertionError, match=r"in fp16: .* NaN or infinite"):
        checks.assert_half_precision_is_close(gpt2, inputs(), ("fp16",))
    gpt2.rpgen_untrained = True
    with pytest.raises(unittest.SkipTest, match="values were divided by a norm that it can't hold"):
        checks.assert_half_precision_is_close(gpt2, inputs(), ("fp16",))


def test_what_is_infinite_in_half_precision_otherwise_is_a_fault(gpt2: Any) -> None:
    plain = gpt2.forward

    def faulty(**inputs: Any) -> Any:
        outputs = plain(**inputs)
        outputs.logits = outputs.logits * (1.0 if gpt2.dtype == torch.float32 else 1e9)
        return outputs

    gpt2.forward, gpt2.rpgen_untrained = faulty, True
    with pytest.raises(AssertionError, match="in fp16: "):
        checks.assert_half_precision_is_close(gpt2, inputs(), ("fp16",))


class Ending(torch.nn.Module):
    """What it says of a text is where its end token stands, and the words before it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = torch.nn.Embedding(400, 3)
        self.places = torch.nn.Embedding(8, 3)
        text = SimpleNamespace(eos_token_id=23)
        self.config = SimpleNamespace(num_hidden_layers=1, get_text_config=lambda: text)

    def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
        if int((input_ids == 23).sum()) != 1:
            raise ValueError("Each example must contain at least one <eos> token.")
        states = self.words(input_ids) * self.places(torch.arange(input_ids.shape[1]))
        return SimpleNamespace(logits=states.sum(1))


def test_the_token_that_ends_a_text_stays_where_words_are_changed() -> None:
    checks.assert_every_token_matters(Ending(), inputs())


def test_a_picture_whose_other_channels_have_no_say() -> None:
    torch.manual_seed(0)

    class Grey(torch.nn.Conv2d):
        def forward(self, pixel_values: torch.Tensor) -> Any:
            return SimpleNamespace(logits=super().forward(pixel_values[:, :1]))

    picture = {"pixel_values": torch.rand(1, 3, 8, 8)}
    model = Grey(1, 2, 2)
    with pytest.raises(AssertionError, match="channel 1 of pixel_values was changed: nothing"):
        checks.assert_every_part_matters(model, picture, "pixel_values")
    checks.assert_every_part_matters(model, picture, "pixel_values", channels=False)


def test_an_activation_that_others_share_may_be_in_training_mode(gpt2: Any) -> None:
    gpt2.transformer.h[0].mlp.act.train()
    checks.assert_ready(gpt2)
    gpt2.transformer.h[0].attn.resid_dropout.train()
    with pytest.raises(AssertionError, match=r"training mode .*: transformer\.h\.0\.attn\.resid"):
        checks.assert_ready(gpt2)


def test_no_room_for_a_copy_is_a_skip_with_the_figures(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RPGEN_LEVEL", "minimal")
    with pytest.raises(unittest.SkipTest, match="holds no second copy"):
        checks.assert_agrees_with_fresh_copy(gpt2, GPT2, inputs())
    monkeypatch.setenv("RPGEN_LEVEL", "heroic")
    with pytest.raises(UsageError, match="heroic"):
        asked_level()


def test_a_large_level_needs_no_digits_that_it_cannot_have() -> None:
    far = 1000 + torch.linspace(0, 1e-3, 50)
    assert tolerance_for(far, torch.float32, 1).absolute > 4e-4
    assert "of its largest value 1e+03" in tolerance_for(far, torch.float32, 1).origin


def test_convolutions_on_cuda_have_the_digits_of_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    convolving, plain = torch.nn.Conv2d(3, 4, 2), torch.nn.Linear(2, 2)
    assert computed_in(torch.float32, convolving) is torch.float32
    assert computed_in(torch.float32, None) is torch.float32
    for model in (convolving, plain):
        there = SimpleNamespace(device=torch.device("cuda:0"))
        monkeypatch.setattr(model, "parameters", lambda there=there: iter([there]))
    assert computed_in(torch.float32, convolving) is torch.float16
    assert computed_in(torch.bfloat16, convolving) is torch.bfloat16
    assert computed_in(torch.float32, plain) is torch.float32
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert computed_in(torch.float32, convolving) is torch.float32


def test_how_far_a_device_is_from_the_cpu_is_told() -> None:
    here = {"logits": torch.tensor([-1.0, 1.0]), "pooled": torch.tensor([-2.0, 2.0])}
    there = {"logits": torch.tensor([-1.0, 1.25]), "pooled": torch.tensor([-2.0, 2.25])}
    TOLD.reset()
    tell_difference(there, here, torch.nn.Linear(1, 1))
    assert (TOLD.difference, TOLD.difference_in) == (0.25, "logits")
    TOLD.reset()
    assert TOLD.difference is None


class _Anchored(torch.nn.Module):
    """A method of its class remembers, for all models, what the first run made."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))

    @functools.lru_cache(maxsize=4)  # noqa: B019 (as transformers has it)
    def anchors(self, size: int) -> torch.Tensor:
        return torch.linspace(0, 1, size)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"result": self.scale * x * self.anchors(x.shape[-1])}


def test_what_a_class_remembers_of_inference_stops_no_gradient() -> None:
    model, given = _Anchored(), {"x": torch.ones(2, 3)}
    with torch.inference_mode():
        model(**given)
    checks.assert_gradients_arrive(model, given)


def _remembering(function: Any) -> Any:
    """As transformers wraps what it remembers: the wrapper itself has no `cache_clear`."""
    remembered = functools.lru_cache(maxsize=4)(function)

    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return remembered(*arguments)

    del wrapper.__wrapped__
    return wrapper


class _Indexed(torch.nn.Module):
    """A static method that remembers within a wrapper."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.ones(3))

    @staticmethod
    @_remembering
    def places(size: int) -> torch.Tensor:
        return torch.arange(size)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"result": x * self.table[self.places(x.shape[-1])]}


def test_what_a_wrapper_encloses_is_forgotten_too() -> None:
    model, given = _Indexed(), {"x": torch.ones(2, 3)}
    with torch.inference_mode():
        model(**given)
    checks.assert_gradients_arrive(model, given)
