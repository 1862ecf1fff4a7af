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
SENTENCES = [
    "The old lighthouse had been dark for years, until one evening its lamp was lit.",
    "Rain again.",
    "She sells fresh bread at the market every Saturday.",
]
POOLING = "mean"
ALIKE = ("A man is eating a meal.", "Someone is having dinner.")
UNRELATED = "The stock market fell sharply on Monday."


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

    def test_model_is_on_its_device(self):
        """All of the model is on one device, ready to use and not in training mode."""
        checks.assert_on_device(self.model, self.model.device)
        self.assertFalse(self.model.training, "the model is in training mode")

    def test_outputs_have_the_right_shape_and_are_finite(self):
        inputs = self.encode(SENTENCES)
        outputs = self.forward(inputs)
        checks.assert_finite(outputs)
        batch, length = inputs["input_ids"].shape
        width = self.model.config.hidden_size
        checks.assert_shape(
            outputs.last_hidden_state, (batch, length, width), "last_hidden_state"
        )

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(SENTENCES)
        first = checks.main_output(self.forward(inputs))
        second = checks.main_output(self.forward(inputs))
        checks.assert_close(second, first, "the second run", self.model)

    def test_a_sentence_alone_equals_itself_in_a_padded_batch(self):
        """Neither its neighbours nor its padding change what a sentence gives."""
        together = checks.main_output(self.forward(self.encode(SENTENCES)))
        for row, sentence in enumerate(SENTENCES):
            alone = checks.main_output(self.forward(self.encode([sentence])))[0]
            beside = together[row][: len(alone)]
            checks.assert_close(beside, alone, repr(sentence), self.model)

    def test_every_word_matters(self):
        """Another word in the sentence gives another result."""
        inputs = self.encode(["The cat sat on the mat."])
        changed = self.encode(["The dog sat on the mat."])
        checks.assert_different(
            checks.main_output(self.forward(inputs)),
            checks.main_output(self.forward(changed)),
            "cat became dog",
        )

    def test_embeddings_have_length_one(self):
        embeddings = self.embed(SENTENCES)
        checks.assert_shape(embeddings, (len(SENTENCES), None), "embeddings")
        ones = torch.ones_like(embeddings[:, 0])
        checks.assert_close(embeddings.norm(dim=-1), ones, "lengths", self.model)

    def test_a_paraphrase_is_nearer_than_another_topic(self):
        weights = CHECKPOINT.choice()
        if weights.kind != "pretrained":
            self.skipTest(f"only trained weights know meanings: {weights.reason}")
        first, paraphrase, unrelated = self.embed([*ALIKE, UNRELATED])
        self.assertGreater(float(first @ paraphrase), float(first @ unrelated))


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(TestName)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature b8bd083591058df8
