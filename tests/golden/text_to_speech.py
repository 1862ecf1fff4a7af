"""Tests of facebook/mms-tts-eng: text-to-speech model, audio family.

Written by `rpgen generate --model facebook/mms-tts-eng`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.example_inputs import example_inputs

FAMILY = "audio"
CHECKPOINT = Checkpoint(
    "facebook/mms-tts-eng",
    auto_class="AutoModelForTextToWaveform",
    model_type="vits",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5


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

    @classmethod
    def tearDownClass(cls):
        cls.model = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, seed):
        """A text (and a voice, where the model takes one) from a seed."""
        return example_inputs(self.model, seed=seed)

    def forward(self, inputs):
        torch.manual_seed(0)  # speech is drawn: the same seed, the same sound
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
        inputs = self.encode(0)
        outputs = self.forward(inputs)
        checks.assert_finite(outputs)

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(0)
        first = checks.main_output(self.forward(inputs))
        second = checks.main_output(self.forward(inputs))
        checks.assert_close(second, first, "the second run", self.model)

    def test_the_text_matters(self):
        """Another text gives another sound."""
        checks.assert_different(
            checks.main_output(self.forward(self.encode(0))),
            checks.main_output(self.forward(self.encode(1))),
            "another text",
        )


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(TestName)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature baff717384dad8c6
