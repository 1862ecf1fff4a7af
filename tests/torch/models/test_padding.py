"""Why a text in a padded batch is not what it is alone: what is proven, and what is not."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    FNetConfig,
    FNetForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    RwkvConfig,
    RwkvForCausalLM,
    SiglipTextConfig,
    SiglipTextModel,
)
from transformers.utils import ModelOutput

from rpgen import checks
from rpgen.architectures.rules import explained
from rpgen.checks import padding
from rpgen.grounds import Ground

IDS = torch.tensor([[5, 6, 7, 8, 9, 10], [7, 9, 5, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
TEXTS = {"input_ids": IDS, "attention_mask": MASK}
DIFFERS = AssertionError("'Rain again.': differs by 1")


@dataclass
class One:
    """As much of a tested file as a rule looks at."""

    model: Any
    inputs: dict[str, torch.Tensor]

    def again(self) -> None:
        """The second text alone is what it is in the batch."""
        together = checks.main_output(checks.running.run(self.model, self.inputs))[1, :3]
        short = {name: value[1:, :3] for name, value in self.inputs.items()}
        alone = checks.main_output(checks.running.run(self.model, short))[0]
        checks.assert_close(together, alone, "the second text", self.model)

    def forward_freely(self, inputs: Any) -> Any:
        with torch.inference_mode():
            return self.model(**inputs)


def tiny(kind: Any, config: Any) -> Any:
    torch.manual_seed(0)
    return kind(config).eval()


@pytest.fixture(scope="module")
def bert() -> Any:
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, pad_token_id=0,
    )  # fmt: skip
    return tiny(BertForMaskedLM, config)


@pytest.fixture(scope="module")
def gpt2() -> Any:
    return tiny(GPT2LMHeadModel, GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=2))


@pytest.fixture(scope="module")
def rwkv() -> Any:
    config = RwkvConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, intermediate_size=32,
        attention_hidden_size=16, context_length=32,
    )  # fmt: skip
    return tiny(RwkvForCausalLM, config)


def test_a_model_without_a_mask_says_so() -> None:
    config = FNetConfig(vocab_size=32, hidden_size=16, num_hidden_layers=1, intermediate_size=32)
    one = One(tiny(FNetForMaskedLM, config), {"input_ids": IDS})
    found = explained("alone", str(DIFFERS), DIFFERS, one)
    assert found is not None
    assert found.ground is Ground.UNMASKED
    assert found.said == "forward of FNetForMaskedLM takes no attention_mask"


def test_a_mask_that_has_no_say_is_proven(rwkv: Any, bert: Any) -> None:
    assert padding.takes_no_notice(One(rwkv, TEXTS))
    assert padding.takes_no_notice(One(bert, TEXTS)) is None
    assert padding.takes_no_notice(One(bert, {"input_ids": IDS})) is None


def test_of_generation_too(rwkv: Any, gpt2: Any) -> None:
    differs = AssertionError("in a padded batch: token 1 is 7 instead of 8")
    found = explained("continued alone", str(differs), differs, One(rwkv, TEXTS))
    assert found is not None
    assert found.ground is Ground.UNMASKED
    assert padding.generates_without_notice(One(gpt2, TEXTS), 2) is None
    assert padding.generates_without_notice(One(gpt2, {"input_ids": IDS}), 2) is None


def test_a_model_that_keeps_padding_out_is_explained_by_nothing(bert: Any) -> None:
    one = One(bert, TEXTS)
    one.again()
    for error in (DIFFERS, AttributeError("'Output' has no attribute 'logits_per_image'")):
        assert explained("alone", str(error), error, one) is None


class Seeing(torch.nn.Module):
    """All pictures of a batch in one output of their places, if it packs."""

    def __init__(self, *, packs: bool = False) -> None:
        super().__init__()
        self.see = torch.nn.Conv2d(3, 2, 2)
        self.packs = packs

    def forward(self, pixel_values: Any) -> ModelOutput:
        seen = self.see(pixel_values)
        return ModelOutput(logits=seen.flatten(0, 1)[None] if self.packs else seen)


def test_pictures_have_no_padding() -> None:
    one = One(Seeing(), {"pixel_values": torch.zeros(2, 3, 8, 8)})
    assert explained("alone", str(DIFFERS), DIFFERS, one) is None


def test_an_output_that_is_one_for_all_rows_has_none_for_each() -> None:
    one = One(Seeing(packs=True), {"pixel_values": torch.zeros(2, 3, 8, 8)})
    found = explained("alone", str(DIFFERS), DIFFERS, one)
    assert str(found) == "outputs have no entry for each row: an output of 1 for a batch of 2"


def test_transformers_says_which_state_stands_for_a_text() -> None:
    config = SiglipTextConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    one = One(tiny(SiglipTextModel, config), TEXTS)
    assert "which may be padding" in str(padding.pools_the_last(one))


class Convolving(torch.nn.Module):
    """Each place of a text is summed with its neighbours; with `wrong`, also with the mean of
    all places, padding and all."""

    def __init__(self, *, wrong: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = SimpleNamespace(num_hidden_layers=1)
        self.words = torch.nn.Embedding(32, 4)
        self.sum = torch.nn.Conv1d(4, 4, 3, padding=1)
        self.wrong = wrong

    def forward(self, input_ids: Any, attention_mask: Any = None) -> ModelOutput:
        states = self.words(input_ids)
        if self.wrong:
            states = states + states.mean(1, keepdim=True)
        return ModelOutput(logits=self.sum(states.transpose(1, 2)).transpose(1, 2))


def test_a_convolution_that_reads_padding_is_proven_by_keeping_it_out() -> None:
    one = One(Convolving(), TEXTS)
    with pytest.raises(AssertionError, match="the second text"):
        one.again()
    told = padding.through_convolutions(one.again, one)
    assert told == "conv1d along the text reads padding; where it reads 0 there, nothing differs"
    with pytest.raises(AssertionError, match="the second text"):
        one.again()  # nothing of the experiment is left


def test_what_is_not_of_the_convolution_is_a_failure() -> None:
    one = One(Convolving(wrong=True), TEXTS)
    assert padding.through_convolutions(one.again, one) is None


def test_a_model_without_convolutions_is_not_explained_by_them(bert: Any) -> None:
    one = One(bert, TEXTS)
    assert padding.through_convolutions(one.again, one) is None


class Pooling(torch.nn.Module):
    def __init__(self, places: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_hidden_layers=1)
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.places = places

    def forward(self, input_ids: Any, output_hidden_states: bool = False, **_: Any) -> ModelOutput:
        states = (torch.ones(2, 6, 4), torch.ones(2, self.places, 4))
        return ModelOutput(logits=states[0], hidden_states=states)


@pytest.mark.parametrize(("places", "joins"), [(3, True), (6, False), (1, False)])
def test_fewer_places_within_than_tokens_are_joined(places: int, joins: bool) -> None:
    assert bool(padding.pools_neighbours(One(Pooling(places), TEXTS))) is joins
