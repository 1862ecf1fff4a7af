"""A check is left out on a ground that is recognised, and on no other."""

import functools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    CpmAntConfig,
    CpmAntForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    JambaConfig,
    JambaForCausalLM,
    PreTrainedConfig,
)
from transformers.masking_utils import create_causal_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import ModelOutput

from rpgen import checks
from rpgen.architectures import trial
from rpgen.architectures.rules import explained
from rpgen.checks import caching, remarks
from rpgen.checks.choices import Choices, DivergedError
from rpgen.checks.gradients import NoGradientError
from rpgen.grounds import Explained, Ground, ground_of


@dataclass
class One:
    """As much of a trial's subject as a rule looks at."""

    model: Any
    inputs: dict[str, Any]

    def forward_freely(self, inputs: Any) -> Any:
        with torch.inference_mode():
            return self.model(**inputs)

    def fresh(self) -> "One":
        return self


class Layers(torch.nn.Module):
    """A stack, and something done to what it gives."""

    def __init__(self, then: Any, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = SimpleNamespace(num_hidden_layers=2)
        self.stack = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(2))
        self.last = torch.nn.Linear(width, width)
        self.then = then

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        given = x
        for layer in self.stack:
            x = layer(x)
        return {"result": self.last(self.then(self, given, x))}


class Silent(torch.nn.Module):
    """It has a configuration, and always gives the same."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, **given: torch.Tensor) -> ModelOutput:
        return ModelOutput(logits=torch.ones(2, 8, 3))


X = torch.linspace(-2, 2, 32).view(4, 8)


def why(check: str, error: BaseException, one: Any = None) -> Ground | None:
    found = explained(check, trial.said_by(error), error, one)
    return found.ground if found else None


@pytest.mark.parametrize(
    ("check", "said", "ground"),
    [
        ("draws", "the model drew random numbers, or seeded the generator", Ground.DRAWS),
        ("layers", "hidden states were asked for, and no output is declared for them",
         Ground.UNDECLARED),
        ("layers", "attentions were asked for, and stay empty", Ground.EMPTY),
        ("attention", "attention, if there is any, is written in one way only", Ground.ONE_WAY),
        ("layers", "hidden states were asked for, and hidden_states stay empty", Ground.EMPTY),
        ("layers", "attentions[0] has shape (32, 72), which is no map of queries and keys",
         Ground.NO_WEIGHTS),
        ("layers", "attentions[0] is no distribution: it holds negative values (-0.9)",
         Ground.NO_WEIGHTS),
        ("layers", "attentions[0] is a share of a distribution: rows sum to 0.4 only",
         Ground.SHARE),
        ("layers", "hidden_states: 5 tensors for 2 layers; there is one before", Ground.OWN_COUNT),
        ("layers", "hidden_states[2] has shape (8, 256), the first (32, 96)", Ground.RESHAPED),
        ("rows", "no output has an entry for each row", Ground.PACKED),
    ],
)  # fmt: skip
def test_what_can_only_be_by_design(check: str, said: str, ground: Ground) -> None:
    assert why(check, AssertionError(said)) is ground


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("layers", "outputs.hidden_states[1]: 768 of 4352 values are NaN or infinite"),
        ("layers", "attentions[0] is no distribution: rows sum to up to 1.7"),
        ("saving", "not in the saved files: a.weight"),
        ("draws", "the model changed torch.backends.cudnn.benchmark"),
    ],
)
def test_what_nobody_recognises_is_a_failed_check(check: str, said: str) -> None:
    plain = One(Silent(GPT2Config()), {})
    assert why(check, AssertionError(said), plain) is None


def test_the_messages_that_come_as_other_errors() -> None:
    cache = AttributeError("'MambaCausalLMOutput' object has no attribute 'past_key_values'")
    assert why("cache", cache) is Ground.UNDECLARED
    asked = TypeError("forward() got an unexpected keyword argument 'output_hidden_states'")
    assert why("layers", asked) is Ground.UNDECLARED
    changed = RuntimeError("one of the variables has been modified by an inplace operation: x")
    assert why("gradients", changed) is Ground.IN_PLACE


def missed(one: One, name: str = "stack.0") -> Ground | None:
    return why("gradients", NoGradientError([name]), one)


def test_a_gradient_that_the_model_cuts_off() -> None:
    model = Layers(lambda _, given, x: given + x.detach())
    with pytest.raises(NoGradientError):
        checks.assert_gradients_arrive(model, {"x": X})
    assert missed(One(model, {"x": X})) is Ground.DETACHED


def test_a_gradient_of_what_decides_a_choice_only() -> None:
    def pick(_: Any, given: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return given.gather(-1, x.topk(8, dim=-1).indices)

    assert missed(One(Layers(pick), {"x": X})) is Ground.CHOICE


def test_a_gradient_of_what_no_output_depends_on() -> None:
    assert missed(One(Layers(lambda _, given, x: given), {"x": X})) is Ground.UNUSED


def test_a_gradient_that_is_lost_otherwise_is_a_failure() -> None:
    lost = Layers(lambda _, given, x: given + torch.tensor(x.tolist()))
    assert missed(One(lost, {"x": X})) is None


def test_a_stack_that_a_call_does_not_go_through_needs_no_gradient() -> None:
    model = Layers(lambda *_: X)
    model.spare = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(2))
    model.then = lambda _, given, x: x
    checks.assert_gradients_arrive(model, {"x": X})


def routed(_: Any, given: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Two values that only rounding tells apart, and a choice of either."""
    close = torch.stack([x, x + 1e-4 * (1 + x.abs())])
    experts = torch.stack([given, 9 - given])
    return experts.gather(0, close.topk(1, dim=0).indices)[0]


def test_a_choice_that_falls_otherwise_in_a_half_type_is_proven() -> None:
    one = One(Layers(routed), {"x": X})
    with pytest.raises(AssertionError) as failure:
        checks.assert_half_precision_is_close(one.model, one.inputs, ("bf16",))
    found = explained("bf16", str(failure.value), failure.value, one)
    assert found is not None
    assert found.ground is Ground.CHOICE
    assert "topk chooses otherwise at" in found.said


def test_a_fault_of_a_half_type_is_none_of_choice_or_rounding() -> None:
    def wrong(_: Any, given: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return x * (2 if x.dtype is torch.bfloat16 else 1)

    one = One(Layers(wrong), {"x": X})
    with pytest.raises(AssertionError) as failure:
        checks.assert_half_precision_is_close(one.model, one.inputs, ("bf16",))
    assert why("bf16", failure.value, one) is None


def test_a_model_that_any_rounding_throws_off() -> None:
    steep = Layers(lambda _, given, x: torch.sin(1e4 * x))
    assert why("bf16", AssertionError("differs"), One(steep, {"x": X})) is Ground.SENSITIVE


class Attending(BertModel):
    """A model that means to be read one way, whose modules say the other."""

    def __init__(self, config: BertConfig, *, causal: bool) -> None:
        super().__init__(config)
        for module in self.modules():
            if hasattr(module, "is_causal"):
                module.is_causal = causal


def _bert(model_class: Any, **more: Any) -> One:
    config = BertConfig(
        hidden_size=32, num_attention_heads=2, num_hidden_layers=2, intermediate_size=32,
        vocab_size=100, attn_implementation="sdpa",
    )  # fmt: skip
    torch.manual_seed(0)
    model = model_class(config, **more).eval()
    mask = {"attention_mask": torch.ones(2, 6, dtype=torch.int64)}
    return One(model, {"input_ids": torch.arange(12).view(2, 6), **mask})


def _of_attention(one: One) -> Explained | None:
    """The ground that is found for what the two ways of attention do, which must differ."""
    with pytest.raises(AssertionError) as failure:
        checks.assert_attention_implementations_agree(one.model, one.inputs)
    return explained("attention", str(failure.value), failure.value, one)


def test_a_module_that_contradicts_the_mask_it_is_not_given_is_named() -> None:
    one = _bert(Attending, causal=True)
    found = _of_attention(one)
    assert found is not None
    assert found.ground is Ground.MASKS
    assert "encoder.layer.0.attention.self, given no mask, goes by its is_causal = True" in str(
        found
    )


def test_a_mask_that_is_added_as_it_is_is_named() -> None:
    one = _bert(BertModel)
    one.inputs["attention_mask"] = torch.ones(2, 1, 6, 6).tril().bool()
    found = _of_attention(one)
    assert found is not None
    assert "adds a mask of true and false to its scores" in str(found)


def test_a_mask_of_numbers_that_is_read_as_truths_is_named() -> None:
    class Inverting(BertModel):
        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.embeddings(input_ids)
            mask = create_causal_mask(self.config, states, attention_mask, past_key_values=None)
            seen = torch.ones(6, 6).tril() if mask is None else mask.bool()[:, 0].float()
            return {"last_hidden_state": seen @ states}

    one = _bert(Inverting)
    found = _of_attention(one)
    assert found is not None
    assert "is read as of true and false" in str(found)


def eager_attention_forward(
    module: Any, query: Any, key: Any, value: Any, mask: Any, **_: Any
) -> tuple[torch.Tensor, None]:
    """As models have it in their own file. It stands here for that of a model of this file."""
    weights = torch.softmax(query @ key.transpose(-1, -2) + (0 if mask is None else mask), -1)
    return (weights @ value).transpose(1, 2), None


class AskingByItem(BertModel):
    """How models ask for their attention in some versions: the open one by its own name, every
    other by its item."""

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        states = self.embeddings(input_ids)
        attend = eager_attention_forward
        if self.config._attn_implementation != "eager":
            attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        held = states[:, None]
        shown = attend(self, held, held, held, attention_mask[:, None, None].bool(), scaling=1.0)
        return {"last_hidden_state": shown[0][:, :, 0]}


def test_masks_are_seen_however_a_model_asks_for_its_attention() -> None:
    one = _bert(AskingByItem)
    one.inputs["attention_mask"][:, 3:] = 0
    found = _of_attention(one)
    assert found is not None
    assert "AskingByItem adds a mask of true and false to its scores" in str(found)
    assert vars(ALL_ATTENTION_FUNCTIONS.__class__).get("__getitem__") is None  # all as it was
    assert eager_attention_forward.__module__ == __name__
    assert not hasattr(eager_attention_forward, "rpgen_gives")


def test_another_fault_of_an_attention_is_none_of_its_mask() -> None:
    class Off(BertModel):
        def forward(self, *given: Any, **more: Any) -> Any:
            found = super().forward(*given, **more)
            eager = self.config._attn_implementation == "eager"
            return {"last_hidden_state": found.last_hidden_state + 0.1 * eager}

    one = _bert(Off)
    assert _of_attention(one) is None


def test_a_failure_that_does_not_come_again_is_none_of_a_mask() -> None:
    error = AssertionError("sdpa against eager: differs by 0.1")
    assert explained("attention", str(error), error, _bert(BertModel)) is None


def test_choices_are_put_in_as_they_were_made() -> None:
    values = torch.tensor([[3.0, 1.0, 2.0]])
    with Choices() as first:
        values.topk(2), values.max(dim=1), values.round(), values > 1.5, values.long()
    other = torch.tensor([[1.2, 3.0, 1.0]])
    with Choices(first) as second:
        best, places = other.topk(2)
        most = other.max(dim=1)
        rounded = other.round()
        assert torch.equal(other > 1.5, torch.tensor([[True, False, True]]))
    assert places.tolist() == [[0, 2]]
    assert torch.equal(best, torch.tensor([[1.2, 1.0]]))
    assert most.indices.tolist() == [0]
    assert rounded.tolist() == [[3.0, 1.0, 2.0]]
    assert "topk chooses otherwise at 2 of 2 places" in str(second)
    with pytest.raises(DivergedError), Choices(first):
        torch.rand(2, 5).topk(2)


def test_drawing_is_seen() -> None:
    noisy = Layers(lambda _, given, x: x + torch.rand_like(x))
    assert why("rows", AssertionError("row 1 differs"), One(noisy, {"x": X})) is Ground.DRAWS
    calm = Layers(lambda _, given, x: x)
    assert why("rows", AssertionError("row 1 differs"), One(calm, {"x": X})) is None


@pytest.mark.parametrize(
    ("config", "both"),
    [
        ({"is_encoder_decoder": True}, True),
        ({"is_decoder": False}, True),
        ({"is_decoder": True}, False),
        ({"attn_type": "bi"}, True),
        ({}, False),
    ],
)
def test_a_text_read_as_a_whole(config: dict[str, Any], both: bool) -> None:
    one = One(Silent(SimpleNamespace(**config)), {"input_ids": torch.arange(16).view(2, 8)})
    found = why("look_ahead", AssertionError("positions before 8: differs by 0.1"), one)
    assert (found is Ground.BOTH_WAYS) is both


def test_transformers_code_may_say_that_a_text_is_read_as_a_whole() -> None:
    config = CpmAntConfig(
        vocab_size=20, hidden_size=16, num_attention_heads=2, dim_head=8, dim_ff=16,
        num_hidden_layers=1, prompt_types=4, prompt_length=4, segment_types=4,
    )  # fmt: skip
    one = One(CpmAntForCausalLM(config), {})
    found = explained("look_ahead", "positions before 8: differs", AssertionError(), one)
    assert found is not None
    assert found.ground is Ground.BOTH_WAYS
    assert "modeling_cpmant says: always bidirectional" in found.said


class Forgetful(GPT2LMHeadModel):
    """It counts each piece of a text from 0, or from where it is told."""

    def forward(self, input_ids: Any, position_ids: Any = None, **more: Any) -> Any:
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1])[None]
        return super().forward(input_ids=input_ids, position_ids=position_ids, **more)


def against_cache(one: One) -> Ground | None:
    with pytest.raises(AssertionError) as failure:
        checks.assert_cache_agrees(one.model, one.inputs)
    return why("cache", failure.value, one)


def test_positions_that_must_be_told() -> None:
    one = small()
    one.inputs = {"input_ids": torch.arange(12)[None]}
    one.model.__class__ = Forgetful
    assert against_cache(one) is Ground.UNTOLD


def test_a_cache_that_positions_do_not_mend_is_a_failure() -> None:
    class Lost(GPT2LMHeadModel):
        def forward(self, past_key_values: Any = None, **more: Any) -> Any:
            return super().forward(**more)

    one = small()
    one.inputs = {"input_ids": torch.arange(12)[None]}
    one.model.__class__ = Lost
    assert against_cache(one) is None


def recurrent() -> One:
    config = JambaConfig(
        vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, attn_layer_period=2, attn_layer_offset=1,
        num_experts=1, num_experts_per_tok=1, mamba_d_state=4, mamba_dt_rank=2,
        initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    return One(JambaForCausalLM(config).eval(), {"input_ids": torch.arange(12)[None]})


def test_a_state_that_several_tokens_begin_anew() -> None:
    assert against_cache(recurrent()) is Ground.ANEW


def test_a_state_that_several_tokens_begin_anew_may_want_its_positions_too() -> None:
    one, plain = recurrent(), JambaForCausalLM.forward
    places = torch.linspace(-1, 1, 12)[:, None]

    def forward(
        self: Any, input_ids: Any, position_ids: Any = None, attention_mask: Any = None, **more: Any
    ) -> Any:
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1])[None]
        embeds = self.get_input_embeddings()(input_ids) + places[position_ids]
        return plain(self, inputs_embeds=embeds, **more)

    placed = type("JambaForCausalLM", (JambaForCausalLM,), {"forward": forward})
    placed.__module__ = JambaForCausalLM.__module__
    one.model.__class__ = placed
    with pytest.raises(AssertionError) as failure:
        checks.assert_cache_agrees(one.model, one.inputs)
    found = explained("cache", str(failure.value), failure.value, one)
    assert found is not None
    assert found.ground is Ground.ANEW
    assert "token by token, and told the position_ids of each, it gives the same" in found.said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("        use_precomputed_states = (\n            cache is not None\n"
         "            and seq_len == 1\n        )\n",
         "use_precomputed_states = ( cache is not None and seq_len == 1: "),
        ("        # Initial hidden state is not supported by this kernel\n",
         "Initial hidden state is not supported by this kernel: "),
        ("        use_precomputed_states = cache is not None\n        seq_len = 1\n", None),
    ],
)  # fmt: skip
def test_only_where_the_code_says_so_may_a_state_begin_anew(
    code: str, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remarks, "code_of", lambda _: code)
    found = caching.starts_anew(recurrent())
    assert found is None if said is None else found is not None and found.startswith(said)


def test_a_state_that_is_kept_as_a_tensor_is_found_too() -> None:
    held, missing = torch.ones(2), SimpleNamespace(recurrent_states=None)
    layers = [SimpleNamespace(recurrent_states=held), missing, SimpleNamespace()]
    assert list(caching._states(SimpleNamespace(layers=layers))) == [held]


def test_a_state_that_single_tokens_lose_too_is_a_failure() -> None:
    one = recurrent()
    plain = one.model.forward

    def losing(past_key_values: Any = None, **more: Any) -> Any:
        for layer in getattr(past_key_values, "layers", ()):
            for state in getattr(layer, "recurrent_states", {}).values():
                state.zero_()
        return plain(past_key_values=past_key_values, **more)

    one.model.forward = losing
    assert against_cache(one) is None


class Growing(PreTrainedConfig):
    model_type = "growing"

    def __init__(self, steps: Any = (), **more: Any) -> None:
        super().__init__(**more)
        self.steps = [*steps, "end"]


def test_a_configuration_that_is_another_after_saving() -> None:
    said = AssertionError("the configuration says steps = ['end', 'end'] instead of ['end']")
    growing = One(SimpleNamespace(config=Growing()), {})
    assert why("saving", said, growing) is Ground.CONFIGURATION
    assert why("saving", said, small()) is None


def small() -> One:
    config = GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=20, n_positions=16)
    model = GPT2LMHeadModel(config).eval()
    return One(model, {"input_ids": torch.arange(4)[None]})


def test_a_configuration_that_building_the_model_changes() -> None:
    class Growing(GPT2LMHeadModel):
        def __init__(self, config: Any) -> None:
            config.grown = [*getattr(config, "grown", ()), 1]
            super().__init__(config)

    sizes = {"n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 20}
    one = One(Growing(GPT2Config(**sizes)), {})
    said = "the configuration says grown = [1] instead of [1, 1]"
    assert why("saving", AssertionError(said), one) is Ground.CONFIGURATION
    plain = One(GPT2LMHeadModel(GPT2Config(**sizes)), {})
    assert why("saving", AssertionError(said), plain) is None


def test_what_transformers_itself_loads_in_a_half_type() -> None:
    one = small()
    refusal = RuntimeError("mat1 and mat2 must have the same dtype")
    assert why("bf16", refusal, one) is None

    class Stubborn(GPT2LMHeadModel):
        def forward(self, input_ids: Any, **more: Any) -> Any:
            torch.ones(1, 2) @ torch.ones(2, 1, dtype=self.dtype)
            return super().forward(input_ids=input_ids, **more)

    one.model.__class__ = Stubborn
    assert why("bf16", refusal, one) is Ground.ONE_TYPE


def test_a_model_that_asking_breaks() -> None:
    one = small()
    assert why("layers", AttributeError("'NoneType' has no size"), one) is None
    plain = one.model.forward

    def breaking(output_hidden_states: Any = None, **more: Any) -> Any:
        if output_hidden_states:
            one.model.forward = functools.partial(pytest.fail, "broken")
            raise AttributeError("broken")
        return plain(**more)

    one.model.forward = breaking
    assert why("layers", AttributeError("'NoneType' has no size"), one) is Ground.BREAKS


def test_transformers_may_refuse_in_so_many_words() -> None:
    with pytest.raises(ValueError, match="max_new_tokens") as refusal:
        small().model.generate(torch.arange(4)[None], max_new_tokens=-1)
    assert why("gradients", refusal.value) is Ground.REFUSED
    assert why("gradients", ValueError("ours")) is None


def test_a_reason_names_its_ground_again() -> None:
    for ground in Ground:
        assert ground_of(str(Explained(ground, "12 of 20"))) is ground
    assert ground_of("it failed") is None


def test_what_an_encoder_reads_is_not_what_its_decoder_writes() -> None:
    model = Silent(SimpleNamespace(is_encoder_decoder=True))
    for given, ground in (("decoder_input_ids", Ground.BOTH_WAYS), ("labels", None)):
        one = One(model, {"input_ids": torch.ones(1, 4), given: torch.ones(1, 4)})
        assert why("look_ahead", ValueError("refused"), one) is ground
