"""Tests of openai/whisper-tiny: speech recognition model, audio family.

Written by `rpgen generate --model openai/whisper-tiny`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.inputs import example_sound

FAMILY = "audio"
CHECKPOINT = Checkpoint(
    "openai/whisper-tiny",
    auto_class="AutoModelForSpeechSeq2Seq",
    model_type="whisper",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
NEW_TOKENS = 8
TASK_TOKENS = 4  # start, language, task and timestamps may stand before the text
TRANSCRIPT = "The lamp was lit."
SECONDS = 1.0


class TestOpenaiWhisperTiny(unittest.TestCase):
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
        cls.feature_extractor = cls.pool.get_resource(
            "feature_extractor",
            CHECKPOINT.name,
            constructor=CHECKPOINT.load_feature_extractor,
        )
        rate = cls.feature_extractor.sampling_rate
        cls.sounds = [example_sound(SECONDS, rate, seed=seed) for seed in range(2)]
        cls.tokenizer = cls.pool.get_tokenizer(
            FAMILY, CHECKPOINT.name, constructor=CHECKPOINT.load_tokenizer
        )

    @classmethod
    def tearDownClass(cls):
        cls.model = cls.feature_extractor = cls.tokenizer = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, sounds):
        """Features of sounds of one length, and a transcript of each."""
        inputs = self.feature_extractor(
            sounds,
            sampling_rate=self.feature_extractor.sampling_rate,
            return_tensors="pt",
        )
        transcripts = [TRANSCRIPT] * len(sounds)
        spoken = self.tokenizer(transcripts, return_tensors="pt")
        inputs["labels"] = spoken["input_ids"]
        return inputs.to(self.model.device, self.model.dtype)

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
        inputs = self.encode(self.sounds)
        outputs = self.forward(inputs)
        checks.assert_finite(outputs)
        batch = len(self.sounds)
        length = inputs["labels"].shape[1]
        checks.assert_shape(
            outputs.logits,
            (batch, length, self.model.config.get_text_config().vocab_size),
            "logits",
        )

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(self.sounds)
        first = self.forward(inputs).logits
        second = self.forward(inputs).logits
        checks.assert_close(second, first, "the second run", self.model)

    def test_a_sound_alone_equals_itself_in_a_batch(self):
        """Its neighbours in the batch do not change what a sound gives."""
        together = self.forward(self.encode(self.sounds)).logits
        for row, sound in enumerate(self.sounds):
            alone = self.forward(self.encode([sound])).logits[0]
            checks.assert_close(together[row], alone, f"sound {row}", self.model)

    def test_the_sound_matters(self):
        """Another sound gives another result."""
        checks.assert_different(
            self.forward(self.encode(self.sounds[:1])).logits,
            self.forward(self.encode(self.sounds[1:])).logits,
            "another sound",
        )

    def test_generation_is_greedy_and_keeps_its_limit(self):
        """Two transcripts agree; no more tokens than allowed."""
        features = self.encode(self.sounds)
        del features["labels"]
        first, second = (
            self.model.generate(**features, max_new_tokens=NEW_TOKENS, do_sample=False)
            for _ in range(2)
        )
        self.assertEqual(first.tolist(), second.tolist())
        self.assertLessEqual(first.shape[1], TASK_TOKENS + NEW_TOKENS)


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(TestOpenaiWhisperTiny)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature b6b290133e8a1da5
