"""Tests of openai/clip-vit-base-patch32: image and text encoder, multimodal family.

Written by `rpgen generate --model openai/clip-vit-base-patch32`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest

import torch
from PIL import Image
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.inputs import example_image, moved

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
PRECISIONS = ("bf16", "fp16")
TEXTS = [
    "One evening the lamp of the old lighthouse was lit.",
    "Rain again.",
    "She sells fresh bread on Saturdays.",
]
COLOURS = ["red", "green", "blue"]


class TestOpenaiClipVitBasePatch32(unittest.TestCase):
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
        cls.texts = cls.scale.texts(TEXTS)
        images = [example_image(seed=seed) for seed in range(cls.scale.batch)]
        cls.images = checks.images_that_fit(
            cls.model, cls.processor, images, text=cls.texts, padding=True
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
        return moved(inputs, self.model.device, self.model.dtype)

    def example(self):
        """Pictures, and texts of different length."""
        return self.encode(self.texts, self.images)

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
        images, texts = len(self.images), len(self.texts)
        checks.assert_shape(
            outputs.logits_per_image, (images, texts), "logits_per_image"
        )
        checks.assert_shape(outputs.image_embeds, (images, None), "image_embeds")
        checks.assert_shape(outputs.text_embeds, (texts, None), "text_embeds")

    def test_both_directions_agree(self):
        """Comparing texts with images is comparing images with texts."""
        outputs = self.forward(self.example())
        turned = outputs.logits_per_image.T
        checks.assert_close(
            outputs.logits_per_text, turned, "logits_per_text", self.model
        )

    def test_a_pair_alone_equals_itself_in_a_padded_batch(self):
        """Neither its neighbours nor its padding change how well a pair fits."""
        together = self.forward(self.example()).logits_per_image
        alone = torch.empty_like(together)
        for row, image in enumerate(self.images):
            for column, text in enumerate(self.texts):
                pair = self.forward(self.encode([text], [image]))
                alone[row, column] = pair.logits_per_image[0, 0]
        checks.assert_close(together, alone, "pairs of image and text", self.model)

    def test_every_part_of_image_and_text_matters(self):
        """Each word and its place, each channel and quarter of the picture."""
        inputs = self.encode(TEXTS[:1], self.images[:1])
        checks.assert_every_token_matters(self.model, inputs)
        checks.assert_every_part_matters(self.model, inputs, "pixel_values")

    def test_tokenizer_fits_the_model(self):
        """Its ids have embeddings, texts come back, padding is masked."""
        tokenizer = self.processor.tokenizer
        checks.assert_tokenizer_fits(tokenizer, self.model)
        checks.assert_round_trip(tokenizer, TEXTS)
        checks.assert_pads_and_truncates(tokenizer, TEXTS)

    def test_image_processor_reads_colours_and_sizes(self):
        """Red is red, dark is dark, and the size is one that the model takes."""
        checks.assert_reads_images(self.processor.image_processor, self.model)

    def test_processor_is_that_of_the_checkpoint(self):
        """A second load and a saved copy give the same tokens and pixels."""
        checks.assert_part_agrees(
            self.processor,
            CHECKPOINT.load_processor,
            text=TEXTS,
            images=self.images,
            padding=True,
        )

    def test_a_colour_fits_its_name(self):
        """A plain picture is told from the others by the name of its colour."""
        weights = CHECKPOINT.choice()
        if weights.kind != "pretrained":
            self.skipTest(f"only trained weights know colours: {weights.reason}")
        images = [Image.new("RGB", (224, 224), colour) for colour in COLOURS]
        texts = [f"a {colour} picture" for colour in COLOURS]
        fits = self.forward(self.encode(texts, images)).logits_per_image
        self.assertEqual(fits.argmax(dim=1).tolist(), [*range(len(COLOURS))])

    def test_same_input_gives_same_output(self):
        """Dropout is off, no run shows in another, and inputs stay as they were."""
        inputs = self.example()
        other = self.encode(self.texts[1:], self.images[::-1])
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
        inputs = self.encode(TEXTS, self.images[:1])
        checks.assert_as_in_baseline(self.model, CHECKPOINT, inputs, __file__)

    def test_a_fresh_copy_on_the_cpu_agrees(self):
        """A second load has the same weights and gives the same result."""
        checks.assert_agrees_with_fresh_copy(self.model, CHECKPOINT, self.example())

    def test_saving_and_loading_changes_nothing(self):
        checks.assert_survives_saving(self.model, self.example())

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

# rpgen:signature 8f0cf50b21529675
