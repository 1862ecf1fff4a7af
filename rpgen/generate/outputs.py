"""What each of transformers' automatic classes returns: the field to look at, and its shape.

Sizes are Python expressions of the generated file (`batch`, `length` and `self.model` are in
reach there); None is a size that the configuration doesn't fix.
"""

from dataclasses import dataclass

_VOCABULARY = "self.model.config.get_text_config().vocab_size"
_LABELS = "self.model.config.num_labels"


@dataclass(frozen=True)
class Output:
    """The main field of a model's output. Without a name: its first floating tensor."""

    field: str | None = None
    shape: tuple[str | None, ...] | None = None


OUTPUTS: dict[str, Output] = {
    "AutoModelForMaskedLM": Output("logits", ("batch", "length", _VOCABULARY)),
    "AutoModelForCausalLM": Output("logits", ("batch", "length", _VOCABULARY)),
    "AutoModelForSeq2SeqLM": Output("logits", ("batch", "length", _VOCABULARY)),
    "AutoModelForTokenClassification": Output("logits", ("batch", "length", _LABELS)),
    "AutoModelForSequenceClassification": Output("logits", ("batch", _LABELS)),
    "AutoModelForQuestionAnswering": Output("start_logits", ("batch", "length")),
    "AutoModelForImageClassification": Output("logits", ("batch", _LABELS)),
    "AutoModelForObjectDetection": Output("logits", ("batch", None, None)),
    "AutoModelForSemanticSegmentation": Output("logits", ("batch", _LABELS, None, None)),
    "AutoModelForDepthEstimation": Output("predicted_depth", ("batch", None, None)),
    "AutoModelForAudioClassification": Output("logits", ("batch", _LABELS)),
    "AutoModelForSpeechSeq2Seq": Output("logits", ("batch", "length", _VOCABULARY)),
    "AutoModelForCTC": Output("logits", ("batch", None, "self.model.config.vocab_size")),
}
