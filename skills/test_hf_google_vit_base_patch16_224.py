"""Tests of google/vit-base-patch16-224: image classifier, vision family.

Written by `rpgen generate --model google/vit-base-patch16-224`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest
from pathlib import Path

import torch
from PIL import Image
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.inputs import example_image

FAMILY = "vision"
CHECKPOINT = Checkpoint(
    "google/vit-base-patch16-224",
    auto_class="AutoModelForImageClassification",
    model_type="vit",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "mps", "rocm", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
PRECISIONS = ("bf16", "fp16")
# What trained weights see. Put the photo beside this file, or one of your own.
PHOTO, LABEL = "000000039769.jpg", "cat"
PHOTO_FROM = "val2017 of cocodataset.org has it"


class TestGoogleVitBasePatch16224(unittest.TestCase):
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
        cls.image_processor = cls.pool.get_processor(
            FAMILY, CHECKPOINT.name, constructor=CHECKPOINT.load_image_processor
        )
        images = [example_image(seed=seed) for seed in range(cls.scale.batch)]
        cls.images = checks.images_that_fit(cls.model, cls.image_processor, images)

    @classmethod
    def tearDownClass(cls):
        cls.model = cls.image_processor = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, images):
        """Pixel values of `images`, shape (images, channels, height, width)."""
        inputs = self.image_processor(images=images, return_tensors="pt")
        return inputs.to(self.model.device, self.model.dtype)

    def example(self):
        """Different pictures, as many as fit."""
        return self.encode(self.images)

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
        outputs = self.forward(self.example())
        checks.assert_finite(outputs)
        batch = len(self.images)
        checks.assert_shape(
            outputs.logits,
            (batch, self.model.config.num_labels),
            "logits",
        )

    def test_an_image_alone_equals_itself_in_a_batch(self):
        """Its neighbours in the batch do not change what an image gives."""
        together = self.forward(self.example()).logits
        for row, image in enumerate(self.images):
            alone = self.forward(self.encode([image])).logits[0]
            checks.assert_close(together[row], alone, f"image {row}", self.model)

    def test_every_part_of_the_image_matters(self):
        """Each channel and each quarter of the picture changes the result."""
        image = self.encode(self.images[:1])
        checks.assert_every_part_matters(self.model, image, "pixel_values")

    def test_image_processor_reads_colours_and_sizes(self):
        """Red is red, dark is dark, and the size is one that the model takes."""
        checks.assert_reads_images(self.image_processor, self.model)

    def test_image_processor_is_that_of_the_checkpoint(self):
        """A second load and a saved copy give the same pixels."""
        checks.assert_part_agrees(
            self.image_processor, CHECKPOINT.load_image_processor, images=self.images
        )

    def test_a_known_photo_gets_its_label(self):
        """The label is among the five most likely."""
        weights = CHECKPOINT.choice()
        if weights.kind != "pretrained":
            self.skipTest(f"only trained weights know labels: {weights.reason}")
        photo = Path(__file__).with_name(PHOTO)
        if not photo.exists():
            self.skipTest(f"put {PHOTO} beside this file: {PHOTO_FROM}")
        logits = self.forward(self.encode([Image.open(photo).convert("RGB")])).logits[0]
        likely = logits.topk(min(5, len(logits))).indices.tolist()
        labels = [self.model.config.id2label[each].lower() for each in likely]
        self.assertTrue(any(LABEL in each.split() for each in labels), labels)

    def test_same_input_gives_same_output(self):
        """Dropout is off, no run shows in another, and inputs stay as they were."""
        inputs = self.example()
        other = self.encode(self.images[::-1])
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
        inputs = self.encode(self.images[:1])
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

# rpgen:signature 445c7c5260d9934b
