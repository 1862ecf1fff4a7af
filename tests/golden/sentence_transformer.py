"""Tests of sentence-transformers/all-MiniLM-L6-v2: sentence embedding model, embedding family.

Written by `rpgen generate --model sentence-transformers/all-MiniLM-L6-v2`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.pooling import sentence_embedding

FAMILY = "embedding"
CHECKPOINT = Checkpoint(
    "sentence-transformers/all-MiniLM-L6-v2",
    auto_class="AutoModel",
    model_type="bert",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
PRECISIONS = ("bf16", "fp16")
SENTENCES = [
    "One evening the lamp of the old lighthouse was lit.",
    "Rain again.",
    "She sells fresh bread on Saturdays.",
]
POOLING = "mean"
ALIKE = ("A man is eating a meal.", "Someone is having dinner.")
UNRELATED = "The stock market fell sharply on Monday."


class TestName(unittest.TestCase):
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
        cls.sentences = cls.scale.texts(SENTENCES)

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

    def example(self):
        """Sentences of different length, padded."""
        return self.encode(self.sentences)

    def embed(self, texts):
        """One vector a text, shape (texts, width), of length 1."""
        inputs = self.encode(texts)
        outputs = self.forward(inputs)
        return sentence_embedding(
            outputs, inputs["attention_mask"], POOLING, normalise=True
        )

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
        batch, length = inputs["input_ids"].shape
        width = self.model.config.hidden_size
        checks.assert_shape(
            outputs.last_hidden_state, (batch, length, width), "last_hidden_state"
        )

    def test_a_sentence_alone_equals_itself_in_a_padded_batch(self):
        """Neither its neighbours nor its padding change what a sentence gives."""
        together = checks.main_output(self.forward(self.example()))
        for row, sentence in enumerate(self.sentences):
            alone = checks.main_output(self.forward(self.encode([sentence])))[0]
            beside = together[row][: len(alone)]
            checks.assert_close(beside, alone, repr(sentence), self.model)

    def test_every_word_and_its_place_matter(self):
        """Another word, or two words in turned order, gives another result."""
        checks.assert_every_token_matters(self.model, self.encode(SENTENCES[:1]))

    def test_tokenizer_fits_the_model(self):
        """Its ids have embeddings, texts come back, padding is masked."""
        checks.assert_tokenizer_fits(self.tokenizer, self.model)
        checks.assert_round_trip(self.tokenizer, SENTENCES)
        checks.assert_pads_and_truncates(self.tokenizer, SENTENCES)

    def test_tokenizer_is_that_of_the_checkpoint(self):
        """A second load and a saved copy give the same tokens."""
        checks.assert_part_agrees(
            self.tokenizer, CHECKPOINT.load_tokenizer, text=SENTENCES, padding=True
        )

    def test_an_embedding_does_not_depend_on_the_batch(self):
        """One vector of length 1 a sentence, without a trace of the others or of padding."""
        together = self.embed(self.sentences)
        checks.assert_shape(together, (len(self.sentences), None), "embeddings")
        ones = torch.ones_like(together[:, 0])
        checks.assert_close(together.norm(dim=-1), ones, "lengths", self.model)
        shortest = min(self.sentences, key=len)
        beside = together[self.sentences.index(shortest)]
        alone = self.embed([shortest])[0]
        checks.assert_close(beside, alone, repr(shortest), self.model)

    def test_pooling_is_that_of_the_checkpoint(self):
        """Where the model's files say how it pools, they say the same."""
        self.assertEqual(POOLING, CHECKPOINT.pooling() or POOLING)

    def test_a_paraphrase_is_nearer_than_another_topic(self):
        weights = CHECKPOINT.choice()
        if weights.kind != "pretrained":
            self.skipTest(f"only trained weights know meanings: {weights.reason}")
        first, paraphrase, unrelated = self.embed([*ALIKE, UNRELATED])
        self.assertGreater(float(first @ paraphrase), float(first @ unrelated))

    def test_same_input_gives_same_output(self):
        """Dropout is off, no run shows in another, and inputs stay as they were."""
        inputs = self.example()
        other = self.encode(SENTENCES[1:])
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
        inputs = self.encode(SENTENCES)
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

# rpgen:signature a5509cd4de9d7196
