"""Tests of facebook/detr-resnet-50: object detector, vision family.

Written by `rpgen generate --model facebook/detr-resnet-50`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.inputs import example_image

FAMILY = "vision"
CHECKPOINT = Checkpoint(
    "facebook/detr-resnet-50",
    auto_class="AutoModelForObjectDetection",
    model_type="detr",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "mps", "rocm", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
IMAGES = [example_image(seed=seed) for seed in range(3)]


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
        cls.image_processor = cls.pool.get_resource(
            "image_processor",
            CHECKPOINT.name,
            constructor=CHECKPOINT.load_image_processor,
        )

    @classmethod
    def tearDownClass(cls):
        cls.model = cls.image_processor = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, images):
        """Pixel values of `images`, shape (images, channels, height, width)."""
        inputs = self.image_processor(images=images, return_tensors="pt")
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
        outputs = self.forward(self.encode(IMAGES))
        checks.assert_finite(outputs)
        batch = len(IMAGES)
        checks.assert_shape(
            outputs.logits,
            (batch, None, None),
            "logits",
        )

    def test_boxes_lie_in_the_image(self):
        """Boxes are centre, width and height as shares of the image."""
        boxes = self.forward(self.encode(IMAGES)).pred_boxes
        checks.assert_shape(boxes, (len(IMAGES), None, 4), "pred_boxes")
        self.assertGreaterEqual(float(boxes.min()), 0.0)
        self.assertLessEqual(float(boxes.max()), 1.0)

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(IMAGES)
        first = self.forward(inputs).logits
        second = self.forward(inputs).logits
        checks.assert_close(second, first, "the second run", self.model)

    def test_an_image_alone_equals_itself_in_a_batch(self):
        """Its neighbours in the batch do not change what an image gives."""
        together = self.forward(self.encode(IMAGES)).logits
        for row, image in enumerate(IMAGES):
            alone = self.forward(self.encode([image])).logits[0]
            checks.assert_close(together[row], alone, f"image {row}", self.model)

    def test_the_image_matters(self):
        """Another image gives another result."""
        checks.assert_different(
            self.forward(self.encode(IMAGES[:1])).logits,
            self.forward(self.encode(IMAGES[1:2])).logits,
            "another image",
        )


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(TestName)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature 4f0e3a6fa864447e
