"""Tests of facebook/wav2vec2-base-960h: speech recognition model, audio family.

Written by `rpgen generate --model facebook/wav2vec2-base-960h`.
Edit it freely: rpgen never overwrites an edited file unless told to with --force.
"""

import sys
import unittest
from pathlib import Path

import torch
from rpgen import checks, get_global_resource_pool
from rpgen.models import Checkpoint
from rpgen.models.inputs import example_sound
from rpgen.models.recordings import read_wav

FAMILY = "audio"
CHECKPOINT = Checkpoint(
    "facebook/wav2vec2-base-960h",
    auto_class="AutoModelForCTC",
    model_type="wav2vec2",
    weights="auto",
)
HARDWARE_PREFERENCES = {
    "device": "auto",
    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],
    "precision": None,
}
CLEANUP_AGE_MINUTES = 0.5
PRECISIONS = ("bf16", "fp16")
SECONDS = 1.0
# What trained weights hear. Put the recording beside this file, or one of your own.
RECORDING = "1272-128104-0000.wav"
SAID = "apostle of the middle classes"
RECORDING_FROM = "LibriSpeech dev-clean has it, as flac"


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
        cls.feature_extractor = cls.pool.get_processor(
            FAMILY, CHECKPOINT.name, constructor=CHECKPOINT.load_feature_extractor
        )
        cls.rate = cls.feature_extractor.sampling_rate
        seconds = SECONDS * cls.scale.stretch
        cls.sounds = [
            example_sound(seconds, cls.rate, seed=seed)
            for seed in range(cls.scale.batch)
        ]

    @classmethod
    def tearDownClass(cls):
        cls.model = cls.feature_extractor = None
        print(f"Resource pool stats: {cls.pool.summary()}")
        cls.pool.cleanup_unused_resources(max_age_minutes=CLEANUP_AGE_MINUTES)

    def encode(self, sounds):
        """Features of sounds of one length."""
        inputs = self.feature_extractor(
            sounds,
            sampling_rate=self.feature_extractor.sampling_rate,
            return_tensors="pt",
        )
        return inputs.to(self.model.device, self.model.dtype)

    def example(self):
        """The inputs for the checks that need any."""
        return self.encode(self.sounds)

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
        inputs = self.example()
        outputs = self.forward(inputs)
        checks.assert_finite(outputs)
        batch = len(self.sounds)
        checks.assert_shape(
            outputs.logits,
            (batch, None, self.model.config.vocab_size),
            "logits",
        )

    def test_a_sound_alone_equals_itself_in_a_batch(self):
        """Its neighbours in the batch do not change what a sound gives."""
        together = self.forward(self.example()).logits
        for row, sound in enumerate(self.sounds):
            alone = self.forward(self.encode([sound])).logits[0]
            checks.assert_close(together[row], alone, f"sound {row}", self.model)

    def test_every_part_of_the_sound_matters(self):
        """Each quarter of it changes the result."""
        sound = self.encode(self.sounds[:1])
        checks.assert_every_part_matters(self.model, sound, self.model.main_input_name)

    def test_feature_extractor_tells_sounds_apart(self):
        checks.assert_reads_sounds(self.feature_extractor, self.sounds)

    def test_feature_extractor_is_that_of_the_checkpoint(self):
        """A second load and a saved copy give the same features."""
        checks.assert_part_agrees(
            self.feature_extractor,
            CHECKPOINT.load_feature_extractor,
            self.sounds,
            sampling_rate=self.feature_extractor.sampling_rate,
        )

    def test_a_known_recording_is_understood(self):
        weights = CHECKPOINT.choice()
        if weights.kind != "pretrained":
            self.skipTest(f"only trained weights know words: {weights.reason}")
        recording = Path(__file__).with_name(RECORDING)
        if not recording.exists():
            self.skipTest(f"put {RECORDING} beside this file: {RECORDING_FROM}")
        inputs = self.encode([read_wav(recording, self.rate)])
        tokens = self.forward(inputs).logits.argmax(-1)
        said = CHECKPOINT.load_tokenizer().decode(tokens[0])
        self.assertIn(SAID, said.lower())

    def test_same_input_gives_same_output(self):
        """Dropout is off, no run shows in another, and inputs stay as they were."""
        inputs = self.example()
        other = self.encode(self.sounds[::-1])
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
        inputs = self.encode([example_sound(SECONDS, self.rate)])
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

# rpgen:signature c19f26c06af29a4f
