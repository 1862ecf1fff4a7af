"""Tests of bert-base-uncased: masked language model, embedding family.

Written by `rpgen generate --model bert-base-uncased`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint

FAMILY = "embedding"
CHECKPOINT = Checkpoint(
    "bert-base-uncased",
    auto_class="AutoModelForMaskedLM",
    model_type="bert",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
SENTENCES = [
    "The old lighthouse had been dark for years, until one evening its lamp was lit.",
    "Rain again.",
    "She sells fresh bread at the market every Saturday.",
]


class TestName(unittest.TestCase):
    """The pool loads the model once and shares it with other files that use it."""

    @classmethod
    def setUpClass(cls):
        cls.pool = get_global_resource_pool()
        cls.model = cls.pool.get_model(
            FAMILY,
            CHECKPOINT.name,
            constructor=CHECKPOINT.load_model,
            hardware_preferences=HARDWARE_PREFERENCES,
        )
        cls.tokenizer = cls.pool.get_tokenizer(
            FAMILY, CHECKPOINT.name, constructor=CHECKPOINT.load_tokenizer
        )

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

    def forward(self, inputs):
        with torch.inference_mode():
            return self.model(**inputs)

    def test_checkpoint_is_whole(self):
        """Every weight was in the checkpoint and is a finite number."""
        checks.assert_whole(self.model)

    def test_model_is_on_its_device(self):
        """All of the model is on one device, ready to use and not in training mode."""
        checks.assert_on_device(self.model, self.model.device)
        self.assertFalse(self.model.training, "the model is in training mode")

    def test_outputs_have_the_right_shape_and_are_finite(self):
        inputs = self.encode(SENTENCES)
        batch, length = inputs["input_ids"].shape
        outputs = self.forward(inputs)
        checks.assert_finite(outputs)
        checks.assert_shape(
            outputs.logits,
            (batch, length, self.model.config.get_text_config().vocab_size),
            "logits",
        )

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(SENTENCES)
        first = self.forward(inputs).logits
        second = self.forward(inputs).logits
        checks.assert_close(second, first, "the second run", self.model)

    def test_a_sentence_alone_equals_itself_in_a_padded_batch(self):
        """Neither its neighbours nor its padding change what a sentence gives."""
        together = self.forward(self.encode(SENTENCES)).logits
        for row, sentence in enumerate(SENTENCES):
            alone = self.forward(self.encode([sentence])).logits[0]
            beside = together[row][: len(alone)]
            checks.assert_close(beside, alone, repr(sentence), self.model)

    def test_every_word_matters(self):
        """Another word in the sentence gives another result."""
        inputs = self.encode(["The cat sat on the mat."])
        changed = self.encode(["The dog sat on the mat."])
        checks.assert_different(
            self.forward(inputs).logits,
            self.forward(changed).logits,
            "cat became dog",
        )


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(TestName)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature 3531d8889024ee45
