"""Tests of t5-small: sequence-to-sequence model, text generation family.

Written by `rpgen generate --model t5-small`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint

FAMILY = "text_generation"
CHECKPOINT = Checkpoint(
    "t5-small",
    auto_class="AutoModelForSeq2SeqLM",
    model_type="t5",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
PRECISIONS = ("bf16",)
NEW_TOKENS = 8
SOURCES = [
    "One evening the lamp of the old lighthouse was lit.",
    "Rain again.",
    "She sells fresh bread on Saturdays.",
]
TARGETS = [
    "One evening the lamp of the old lighthouse was lit again.",
    "It rains.",
    "On Saturdays she sells bread.",
]
ENGLISH = "translate English to German: The house is wonderful."
TRANSLATED = "Das Haus ist wunderbar."

# Left out:
# - fp16: transformers keeps wo in float32


class TestT5Small(unittest.TestCase):
    """The pool loads the model once and shares it with other files that use it."""

    @classmethod
    def setUpClass(cls):
        cls.pool = get_global_resource_pool()
        cls.switches = checks.switches_now()
        cls.model = cls.pool.get_model(
            FAMILY,
            CHECKPOINT.name,
            constructor=CHECKPOINT.load_model,
            hardware_preferences=HARDWARE_PREFERENCES,
        )
        cls.scale = checks.scale_for(cls.model)
        cls.tokenizer = cls.pool.get_tokenizer(
            FAMILY, CHECKPOINT.name, constructor=CHECKPOINT.load_tokenizer
        )
        if cls.tokenizer.pad_token is None:
            cls.tokenizer.pad_token = cls.tokenizer.eos_token
        cls.sources = cls.scale.texts(SOURCES)
        cls.targets = cls.scale.texts(TARGETS)

    @classmethod
    def tearDownClass(cls):
        cls.model = cls.tokenizer = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, texts):
        """Token ids and attention mask of `texts`, padded on the right."""
        return self.tokenizer(
            texts, padding=True, padding_side="right", return_tensors="pt"
        ).to(self.model.device)

    def source_and_target(self, source, target):
        """One pair, the target as what the decoder has written so far."""
        ids = self.encode([target])["input_ids"]
        return {**self.encode([source]), "decoder_input_ids": ids}

    def example(self):
        """Sources of different length, padded, and a target for each."""
        labels = self.encode(self.targets)["input_ids"]
        return {**self.encode(self.sources), "labels": labels}

    def forward(self, inputs):
        with torch.inference_mode():
            return self.model(**inputs)

    def test_checkpoint_is_whole(self):
        """Every weight was in the checkpoint and is a finite number."""
        checks.assert_whole(self.model)

    def test_model_is_ready(self):
        """All of it is on one device, and no part of it in training mode."""
        checks.assert_ready(self.model)

    def test_outputs_have_the_right_shape_and_are_finite(self):
        inputs = self.example()
        outputs = self.forward(inputs)
        checks.assert_finite(outputs)
        batch, length = inputs["labels"].shape
        vocabulary = self.model.config.get_text_config().vocab_size
        checks.assert_shape(outputs.logits, (batch, length, vocabulary), "logits")

    def test_a_source_alone_equals_itself_in_a_padded_batch(self):
        """Neither its neighbours nor its padding change what a source gives."""
        labels = self.encode([TARGETS[0]])["input_ids"]
        everywhere = labels.repeat(len(self.sources), 1)
        sources = self.encode(self.sources)
        together = self.forward({**sources, "labels": everywhere}).logits
        for row, source in enumerate(self.sources):
            alone = self.forward({**self.encode([source]), "labels": labels}).logits[0]
            checks.assert_close(together[row], alone, repr(source), self.model)

    def test_every_word_of_source_and_target_matters(self):
        """The decoder listens to the encoder, and to what it has written."""
        pair = self.source_and_target(SOURCES[0], TARGETS[0])
        checks.assert_every_token_matters(self.model, pair)
        checks.assert_every_token_matters(self.model, pair, "decoder_input_ids")

    def test_the_future_does_not_leak(self):
        """What follows a position of the target changes nothing before it."""
        pair = self.source_and_target(SOURCES[0], TARGETS[0])
        checks.assert_no_look_ahead(self.model, pair, "decoder_input_ids")

    def test_the_cache_changes_nothing(self):
        """Written piece by piece, the target gives what it gives as a whole."""
        pair = self.source_and_target(SOURCES[0], TARGETS[0])
        checks.assert_cache_agrees(self.model, pair, "decoder_input_ids")

    def test_tokenizer_fits_the_model(self):
        """Its ids have embeddings, texts come back, padding is masked."""
        checks.assert_tokenizer_fits(self.tokenizer, self.model)
        checks.assert_round_trip(self.tokenizer, SOURCES)
        checks.assert_pads_and_truncates(self.tokenizer, SOURCES)

    def test_tokenizer_is_that_of_the_checkpoint(self):
        """A second load and a saved copy give the same tokens."""
        checks.assert_part_agrees(
            self.tokenizer, CHECKPOINT.load_tokenizer, text=SOURCES, padding=True
        )

    def test_generation_is_greedy_and_keeps_its_limits(self):
        """Twice the same; no more tokens than allowed, none after an end token."""
        sources = self.encode(self.sources)
        checks.assert_generates(self.model, sources, NEW_TOKENS)
        checks.assert_generation_ends(self.model, self.encode(SOURCES[:1]), NEW_TOKENS)
        checks.assert_generation_ignores_cache(self.model, sources, NEW_TOKENS)

    def test_generation_does_not_depend_on_the_batch(self):
        checks.assert_generation_ignores_padding(
            self.model, self.encode, self.sources, NEW_TOKENS
        )

    def test_a_known_sentence_is_translated(self):
        weights = CHECKPOINT.choice()
        if weights.kind != "pretrained":
            self.skipTest(f"only trained weights know languages: {weights.reason}")
        inputs = self.encode([ENGLISH])
        tokens = self.model.generate(**inputs, max_new_tokens=40, do_sample=False)
        written = self.tokenizer.decode(tokens[0], skip_special_tokens=True)
        self.assertEqual(written.strip(), TRANSLATED)

    def test_same_input_gives_same_output(self):
        """Dropout is off, no run shows in another, and inputs stay as they were."""
        inputs = self.example()
        other = {**self.example(), **self.encode(self.sources[::-1])}
        checks.assert_repeatable(self.forward, inputs, other, self.model)

    def test_a_run_leaves_nothing_behind(self):
        """Tensors are freed; torch's switches and random numbers stay as they were."""
        inputs = self.example()
        checks.assert_leaves_torch_alone(self.forward, inputs, since=self.switches)
        checks.assert_keeps_no_memory(self.forward, inputs)

    def test_memory_is_about_what_was_predicted(self):
        """The weights as their files say, a run not many times what is reserved."""
        checks.assert_memory_as_predicted(
            self.model, CHECKPOINT, self.example(), FAMILY
        )

    @checks.if_recorded(__file__)
    def test_outputs_are_those_of_the_baseline(self):
        """Within rounding; `rpgen run --update-baselines` writes one."""
        inputs = self.source_and_target(SOURCES[0], TARGETS[0])
        checks.assert_as_in_baseline(self.model, CHECKPOINT, inputs, __file__)

    def test_a_fresh_copy_on_the_cpu_agrees(self):
        """A second load has the same weights and gives the same result."""
        checks.assert_agrees_with_fresh_copy(self.model, CHECKPOINT, self.example())

    def test_saving_and_loading_changes_nothing(self):
        checks.assert_survives_saving(self.model, self.example())

    def test_every_layer_shows_its_states(self):
        """As many hidden states and attentions as the configuration has layers."""
        checks.assert_promised_outputs(self.model, self.example())

    def test_attention_implementations_agree(self):
        """Fused attention gives what attention step by step gives."""
        checks.assert_attention_implementations_agree(self.model, self.example())

    def test_half_precision_is_finite_and_close(self):
        checks.assert_half_precision_is_close(self.model, self.example(), PRECISIONS)

    def test_gradients_reach_every_stack_of_layers(self):
        checks.assert_gradients_arrive(self.model, self.example())


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case)
        for case in list(globals().values())
        if isinstance(case, type) and issubclass(case, unittest.TestCase)
    )
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature a4a6f2d003fc1b07
