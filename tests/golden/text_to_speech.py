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
        cls.scale = checks.scale_for(cls.model)

    @classmethod
    def tearDownClass(cls):
        cls.model = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, seed):
        """A text (and a voice, where the model takes one) from a seed."""
        return example_inputs(self.model, seed=seed)

    def example(self):
        """The inputs for the checks that need any."""
        return self.encode(0)

    def forward(self, inputs):
        torch.manual_seed(0)  # speech is drawn: the same seed, the same sound
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

    def test_the_text_matters(self):
        """Another text gives another sound."""
        checks.assert_different(
            checks.main_output(self.forward(self.encode(0))),
            checks.main_output(self.forward(self.encode(1))),
            "another text",
        )

    def test_same_input_gives_same_output(self):
        """Dropout is off, no run shows in another, and inputs stay as they were."""
        inputs = self.example()
        other = self.encode(1)
        checks.assert_repeatable(self.forward, inputs, other, self.model)

    def test_a_run_leaves_nothing_behind(self):
        """Tensors are freed."""
        inputs = self.example()
        checks.assert_keeps_no_memory(self.forward, inputs)

    def test_a_fresh_copy_on_the_cpu_agrees(self):
        """A second load has the same weights and gives the same result."""
        checks.assert_agrees_with_fresh_copy(self.model, CHECKPOINT, self.example())


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

# rpgen:signature e96383ac2594fbc4
