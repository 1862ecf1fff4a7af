"""Hidden states and attentions of models of parts, of several kinds of layers, with sinks."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutput

from rpgen import checks
from rpgen.checks.promised_layers import attending_layers, layers_of

STATES = tuple(torch.ones(2, 3, 8) for _ in range(3))


def even(rows: int = 3) -> torch.Tensor:
    return torch.full((2, 4, rows, rows), 1 / rows)


class Model(torch.nn.Module):
    """Gives out what it was given."""

    def __init__(self, outputs: Any, name: str = "weight", **config: Any) -> None:
        super().__init__()
        self.register_parameter(name, torch.nn.Parameter(torch.ones(1)))
        self.config = PreTrainedConfig(**{"num_hidden_layers": 2, **config})
        self.outputs = outputs

    def forward(self, **_: Any) -> Any:
        return self.outputs


def look(outputs: Any, **more: Any) -> None:
    checks.assert_promised_outputs(Model(outputs, **more), {})


def test_states_of_parts_are_looked_at_where_they_are() -> None:
    part = BaseModelOutput(hidden_states=STATES, attentions=(even(), even()))
    look({"logits": torch.ones(2), "text_model_output": part})
    short = BaseModelOutput(hidden_states=STATES[:2], attentions=())
    with pytest.raises(AssertionError, match=r"text_model_output.hidden_states: 2 tensors for 2"):
        look({"text_model_output": short})


def test_what_is_not_declared_and_what_stays_empty_are_told_apart() -> None:
    with pytest.raises(AssertionError, match="no output is declared"):
        look({"logits": torch.ones(2)})
    with pytest.raises(AssertionError, match="hidden_states stay empty"):
        look(BaseModelOutput(last_hidden_state=torch.ones(2)))
    with pytest.raises(AssertionError, match="attentions were asked for, and stay empty"):
        look(BaseModelOutput(hidden_states=STATES, attentions=()))


def test_a_second_stream_without_inputs_has_no_states() -> None:
    absent = (None, None, None)
    look({"hidden_states": STATES, "entity_hidden_states": absent})
    with pytest.raises(AssertionError, match=r"entity_hidden_states\[1\] has shape"):
        look({"hidden_states": STATES, "entity_hidden_states": (None, STATES[0], None)})
    with pytest.raises(AssertionError, match="hidden_states stay empty"):
        look(BaseModelOutput(last_hidden_state=torch.ones(2), hidden_states=absent))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (torch.ones(32, 72), "no map of queries and keys"),
        (even() - 1, "negative values"),
        (even() * 2, "rows sum to up to 2"),
        (even() / 2, "a share of a distribution: rows sum to 0.5"),
    ],
)
def test_what_is_no_distribution(weights: torch.Tensor, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        look(BaseModelOutput(hidden_states=STATES, attentions=(weights, weights)))


def test_a_sink_takes_a_share_and_points_of_levels_sum_up_together() -> None:
    shared = (even() / 2, even() / 2)
    look(BaseModelOutput(hidden_states=STATES, attentions=shared), name="sinks")
    deformable = torch.full((2, 5, 4, 3, 2), 1 / 6)
    look(BaseModelOutput(hidden_states=STATES, attentions=(deformable, deformable)))


def test_only_layers_with_attention_give_attentions() -> None:
    kinds = ["linear_attention", "full_attention"]
    look(BaseModelOutput(hidden_states=STATES, attentions=(even(),)), layer_types=kinds)
    with pytest.raises(AssertionError, match="attentions: 1 tensors for 2 layers"):
        look(BaseModelOutput(hidden_states=STATES, attentions=(even(),)))


class Projecting(Model):
    """Its tokens are embedded in 4 numbers."""

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return torch.nn.Embedding(10, 4)


def test_the_last_state_may_be_projected_back_to_the_width_of_the_tokens() -> None:
    back = (*STATES[:2], torch.ones(2, 3, 4))
    attentions = (even(), even())
    model = Projecting(BaseModelOutput(hidden_states=back, attentions=attentions))
    checks.assert_promised_outputs(model, {})
    for states in ((STATES[0], back[2], STATES[0]), (*STATES[:2], torch.ones(2, 3, 5))):
        wrong = BaseModelOutput(hidden_states=states, attentions=attentions)
        with pytest.raises(AssertionError, match=r"hidden_states\[[12]\] has shape"):
            checks.assert_promised_outputs(Projecting(wrong), {})


def test_the_part_is_told_by_the_field() -> None:
    config = SimpleNamespace(
        num_hidden_layers=9,
        vision_config=SimpleNamespace(num_hidden_layers=3),
        get_text_config=lambda **which: SimpleNamespace(num_hidden_layers=5),
    )
    assert layers_of(config, "vision_model_output.hidden_states") == (3,)
    assert layers_of(config, "decoder_hidden_states") == (5,)

    def ambiguous(**which: Any) -> Any:
        if not which:
            raise ValueError("two of them")
        return SimpleNamespace(num_hidden_layers=6 if "encoder" in which else 7)

    config.encoder = PreTrainedConfig(num_hidden_layers=8)
    assert layers_of(config, "encoder_hidden_states") == (8,)
    config.encoder = "a name"
    config.get_text_config = ambiguous
    assert layers_of(config, "encoder_hidden_states") == (6,)
    assert attending_layers(config, "decoder_attentions") == (7,)


def test_a_signal_that_fades_away_is_told() -> None:
    checks.assert_alive(
        {"logits": torch.ones(2), "loss": torch.tensor(1e-9), "aux": torch.zeros(2)}
    )
    with pytest.raises(AssertionError, match="logits has faded to 8e-33"):
        checks.assert_alive({"logits": torch.full((2,), 8e-33)})
