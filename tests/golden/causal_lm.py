"""Tests of gpt2: causal language model, text generation family.

Written by `rpgen generate --model gpt2`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint

FAMILY = "text_generation"
CHECKPOINT = Checkpoint(
    "gpt2",
    auto_class="AutoModelForCausalLM",
    model_type="gpt2",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
NEW_TOKENS = 8
PROMPTS = [
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
        if cls.tokenizer.pad_token is None:
            cls.tokenizer.pad_token = cls.tokenizer.eos_token

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

    def generate(self, texts, **options):
        """Greedy continuation, prompt included where the model repeats it."""
        inputs = self.tokenizer(
            texts, padding=True, padding_side="left", return_tensors="pt"
        ).to(self.model.device)
        with torch.inference_mode():
            return self.model.generate(
                **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, **options
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
        inputs = self.encode(PROMPTS)
        outputs = self.forward(inputs)
        checks.assert_finite(outputs)
        batch, length = inputs["input_ids"].shape
        vocabulary = self.model.config.get_text_config().vocab_size
        checks.assert_shape(outputs.logits, (batch, length, vocabulary), "logits")

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(PROMPTS)
        first = self.forward(inputs).logits
        second = self.forward(inputs).logits
        checks.assert_close(second, first, "the second run", self.model)

    def test_a_prompt_alone_equals_itself_in_a_padded_batch(self):
        """Neither its neighbours nor its padding change what a prompt gives."""
        together = self.forward(self.encode(PROMPTS)).logits
        for row, prompt in enumerate(PROMPTS):
            alone = self.forward(self.encode([prompt])).logits[0]
            checks.assert_close(
                together[row, : len(alone)], alone, repr(prompt), self.model
            )

    def test_the_future_does_not_leak(self):
        """What follows a position changes nothing before it."""
        tokens = self.encode([PROMPTS[0]])["input_ids"]
        changed = tokens.clone()
        changed[:, -1] = tokens[:, 0]
        before = self.forward({"input_ids": tokens}).logits[:, :-1]
        after = self.forward({"input_ids": changed}).logits[:, :-1]
        checks.assert_close(after, before, "positions before the change", self.model)

    def test_generation_is_greedy_and_keeps_its_limit(self):
        """Two runs agree, with the cache and without; no more tokens than allowed."""
        prompt = self.encode([PROMPTS[0]])["input_ids"]
        tokens = self.generate([PROMPTS[0]])
        self.assertEqual(tokens[:, : prompt.shape[1]].tolist(), prompt.tolist())
        self.assertGreater(tokens.shape[1], prompt.shape[1])
        self.assertLessEqual(tokens.shape[1], prompt.shape[1] + NEW_TOKENS)
        again = self.generate([PROMPTS[0]], use_cache=False)
        self.assertEqual(tokens.tolist(), again.tolist())


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(TestName)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature 50ddc68cc7df51fa
