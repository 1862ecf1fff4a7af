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
PRECISIONS = ("bf16", "fp16")
INPUTS = ("text", "image")
NEW_TOKENS = 4
LAST_TOKENS = 4  # of the question, after the image
TEXTS = [
    "One evening the lamp of the old lighthouse was lit.",
    "Rain again.",
    "She sells fresh bread on Saturdays.",
]


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
        cls.processor = cls.pool.get_processor(
            FAMILY, CHECKPOINT.name, constructor=CHECKPOINT.load_processor
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

    def test_every_part_of_the_image_matters(self):
        """Each channel and each quarter of the picture changes the result."""
        inputs = self.example()
        checks.assert_every_part_matters(self.model, inputs, "pixel_values")

    def test_an_example_alone_equals_itself_in_a_batch(self):
        """Its neighbour in the batch does not change what an example gives."""
        first, second = self.encode(0), self.encode(1)
        both = {name: torch.cat([first[name], second[name]]) for name in first}
        together = self.forward(both).logits
        for row, single in enumerate((first, second)):
            alone = self.forward(single).logits[0]
            checks.assert_close(together[row], alone, f"example {row}", self.model)

    def test_the_future_does_not_leak(self):
        """What follows a word of the question changes nothing before it."""
        checks.assert_no_look_ahead(self.model, self.example(), last=LAST_TOKENS)

    def test_tokenizer_and_image_processor_fit_the_model(self):
        """Ids have embeddings, padding is masked; red is red, dark is dark."""
        checks.assert_tokenizer_fits(self.processor.tokenizer, self.model)
        checks.assert_pads_and_truncates(self.processor.tokenizer, TEXTS)
        checks.assert_reads_images(self.processor.image_processor)

    def test_processor_gives_what_a_second_load_gives(self):
        again = joint(CHECKPOINT.load_processor(), INPUTS, seed=0)
        here = joint(self.processor, INPUTS, seed=0)
        checks.assert_same(here, again, "a second load of the processor")

    def test_generation_is_greedy_and_keeps_its_limits(self):
        """Twice the same; no more tokens than allowed, none after an end token."""
        inputs = self.example()
        checks.assert_generates(self.model, inputs, NEW_TOKENS)
        checks.assert_generation_ends(self.model, inputs, NEW_TOKENS)
        checks.assert_generation_ignores_cache(self.model, inputs, NEW_TOKENS)

    def test_padding_changes_nothing(self):
        """Masked tokens on the left do not change what is written on the right."""
        checks.assert_generation_ignores_left_padding(
            self.model, self.example(), NEW_TOKENS
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

    def test_memory_is_about_what_was_predicted(self):
        """The weights as their files say, a run not many times what is reserved."""
        checks.assert_memory_as_predicted(
            self.model, CHECKPOINT, self.example(), FAMILY
        )

    @checks.if_recorded(__file__)
    def test_outputs_are_those_of_the_baseline(self):
        """Within rounding; `rpgen run --update-baselines` writes one."""
        inputs = self.encode(0)
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

# rpgen:signature 53d6fede30fb66ed
