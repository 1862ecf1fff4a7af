"""Tests of owner/unheard-of.

Written by `rpgen generate --model owner/unheard-of`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.example_inputs import example_inputs

FAMILY = "general"
CHECKPOINT = Checkpoint(
    "owner/unheard-of",
    auto_class="AutoModel",
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
        cls.switches = checks.switches_now()
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
        """Inputs of every kind that the model takes, from a seed."""
        return example_inputs(self.model, seed=seed)

    def example(self):
        """The inputs for the checks that need any."""
        return self.encode(0)

    def forward(self, inputs):
        with torch.inference_mode():
            return self.model(**inputs)

    def test_checkpoint_is_whole(self):
        """Every weight was in the checkpoint and is a finite number."""
        checks.assert_whole(self.model)

    def test_model_is_ready(self):
        """All of it is on one device, and no part of it in training mode."""
        checks.assert_ready(self.model)

    def test_outputs_are_finite(self):
        checks.assert_finite(self.forward(self.example()))

    def test_the_input_matters(self):
        """Another input gives another result."""
        checks.assert_different(
            checks.main_output(self.forward(self.encode(0))),
            checks.main_output(self.forward(self.encode(1))),
            "another input",
        )

    def test_same_input_gives_same_output(self):
        """Dropout is off, no run shows in another, and inputs stay as they were."""
        inputs = self.example()
        other = self.encode(1)
        checks.assert_repeatable(self.forward, inputs, other, self.model)

    def test_a_run_leaves_nothing_behind(self):
        """Tensors are freed; torch's switches and random numbers stay as they were."""
        inputs = self.example()
        checks.assert_leaves_torch_alone(self.forward, inputs, since=self.switches)
        checks.assert_keeps_no_memory(self.forward, inputs)

    @checks.if_recorded(__file__)
    def test_outputs_are_those_of_the_baseline(self):
        """Within rounding; `rpgen run --update-baselines` writes one."""
        inputs = self.example()
        checks.assert_as_in_baseline(self.model, CHECKPOINT, inputs, __file__)

    def test_a_fresh_copy_on_the_cpu_agrees(self):
        """A second load has the same weights and gives the same result."""
        checks.assert_agrees_with_fresh_copy(self.model, CHECKPOINT, self.example())

    def test_saving_and_loading_changes_nothing(self):
        checks.assert_survives_saving(self.model, self.example())


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

# rpgen:signature 915e4e0d733bf5c9
