"""Tests of openai/clip-vit-base-patch32: image and text encoder, multimodal family.

Written by `rpgen generate --model openai/clip-vit-base-patch32`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.inputs import example_image

FAMILY = "multimodal"
CHECKPOINT = Checkpoint(
    "openai/clip-vit-base-patch32",
    auto_class="AutoModelForZeroShotImageClassification",
    model_type="clip",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
IMAGES = [example_image(seed=seed) for seed in range(2)]
TEXTS = [
    "The old lighthouse had been dark for years, until one evening its lamp was lit.",
    "Rain again.",
    "She sells fresh bread at the market every Saturday.",
]


class TestOpenaiClipVitBasePatch32(unittest.TestCase):
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

    def encode(self, texts, images):
        """Both modalities in one call: every image is compared with every text."""
        inputs = self.processor(
            text=texts, images=images, padding=True, return_tensors="pt"
        )
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
        outputs = self.forward(self.encode(TEXTS, IMAGES))
        checks.assert_finite(outputs)
        pairs = (len(IMAGES), len(TEXTS))
        checks.assert_shape(outputs.logits_per_image, pairs, "logits_per_image")
        checks.assert_shape(outputs.image_embeds, (len(IMAGES), None), "image_embeds")
        checks.assert_shape(outputs.text_embeds, (len(TEXTS), None), "text_embeds")

    def test_both_directions_agree(self):
        """Comparing texts with images is comparing images with texts."""
        outputs = self.forward(self.encode(TEXTS, IMAGES))
        turned = outputs.logits_per_image.T
        checks.assert_close(
            outputs.logits_per_text, turned, "logits_per_text", self.model
        )

    def test_same_input_gives_same_output(self):
        """Two runs on one input agree: dropout is off, nothing is carried over."""
        inputs = self.encode(TEXTS, IMAGES)
        first = self.forward(inputs).logits_per_image
        second = self.forward(inputs).logits_per_image
        checks.assert_close(second, first, "the second run", self.model)

    def test_a_pair_alone_equals_itself_in_a_padded_batch(self):
        """Neither its neighbours nor its padding change how well a pair fits."""
        together = self.forward(self.encode(TEXTS, IMAGES)).logits_per_image
        alone = torch.empty_like(together)
        for row, image in enumerate(IMAGES):
            for column, text in enumerate(TEXTS):
                pair = self.forward(self.encode([text], [image]))
                alone[row, column] = pair.logits_per_image[0, 0]
        checks.assert_close(together, alone, "pairs of image and text", self.model)

    def test_image_and_text_matter(self):
        """Another image, or another text, gives another vector."""
        outputs = self.forward(self.encode(TEXTS, IMAGES))
        checks.assert_different(*outputs.image_embeds[:2], "another image")
        checks.assert_different(*outputs.text_embeds[:2], "another text")


def main():
    """Run the tests of this file; 0 if all of them passed, else 1."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(
        TestOpenaiClipVitBasePatch32
    )
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

# rpgen:signature a4a48e6a4ab3b286
