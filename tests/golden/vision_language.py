"""Tests of llava-hf/llava-1.5-7b-hf: vision-language model, multimodal family.

Written by `rpgen generate --model llava-hf/llava-1.5-7b-hf`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.inputs import joint, moved

FAMILY = "multimodal"
CHECKPOINT = Checkpoint(
    "llava-hf/llava-1.5-7b-hf",
    auto_class="AutoModelForImageTextToText",
    model_type="llava",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
INPUTS = ("text", "image")


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
        cls.processor = cls.pool.get_resource(
            "processor",
            CHECKPOINT.name,
            constructor=CHECKPOINT.load_processor,
        )

    @classmethod
    def tearDownClass(cls):
        cls.model = cls.processor = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, seed):
        """Text and image in one call, another example for each seed."""
        inputs = joint(self.processor, INPUTS, seed=seed)
        return moved(inputs, self.model.device, self.model.dtype)

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

    def test_outputs_are_finite(self):
        checks.assert_finite(self.forward(self.encode(0)))

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(0)
        first = checks.main_output(self.forward(inputs))
        second = checks.main_output(self.forward(inputs))
        checks.assert_close(second, first, "the second run", self.model)

    def test_the_input_matters(self):
        """Another input gives another result."""
        checks.assert_different(
            checks.main_output(self.forward(self.encode(0))),
            checks.main_output(self.forward(self.encode(1))),
            "another input",
        )


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(TestName)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature 3b3d06cb02ca5a6c
