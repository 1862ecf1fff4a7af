"""Sounds as samples and as features, and series of numbers over time."""

import re

from rpgen.models.examples.facts import Facts, code_of, figure
from rpgen.models.examples.guess_text import Made, Maker
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Spec, fixed, normal, ones, zeros

_SAMPLES = 16_000
_FRAMES = 128
_MANY_FRAMES = 6000
_AXES = 3  # rows, bands and frames
BANDS = (
    "num_mel_bins", "feature_size", "input_feat_size", "input_dim", "n_mels", "num_mel_filters",
    "input_size", "input_channels", "mel_bins", "in_channels",
)  # fmt: skip


def features(name: str) -> Maker:
    def maker(facts: Facts, situation: Situation, made: Made) -> Spec:
        return _features(name, facts, situation)

    return maker


def _features(name: str, facts: Facts, situation: Situation) -> Spec:
    """(batch, bands, frames), or with frames first where it is documented so; the other way
    round in odd layouts, and spectrograms as pictures."""
    audio = facts.audio
    bands = facts.number(*BANDS, "model_in_dim", "num_input_channels", default=80, place=audio)
    long = 2 * (figure(audio, "max_source_positions", kinds=(int,)) or 0) or _FRAMES
    count = situation.samples or (long if long <= _MANY_FRAMES else _FRAMES)
    square = figure(audio, "spec_size", kinds=(int,))
    if square or situation.layout == 4:
        return normal(situation.batch, 1, 1000 if square else count, bands)
    if _bands_first(name, facts, situation):
        return normal(situation.batch, bands, count)
    return normal(situation.batch, count, bands)


def _bands_first(name: str, facts: Facts, situation: Situation) -> bool:
    words = facts.arguments[name].shape or () if facts.has(name) else ()
    frames_first = len(words) == _AXES and bool(re.search("seq|length|frames|time", words[1]))
    return frames_first == ((situation.layout % 2 == 1) != situation.turned)


def features_mask(name: str) -> Maker:
    def maker(facts: Facts, situation: Situation, made: Made) -> Spec:
        count = _frames(facts, situation, made) or situation.length
        code = code_of(
            type(facts.model).__module__
        )  # a mask that selects or is negated is of truths
        selects = situation.layout >= 4 or f"[{name}]" in code or f"~{name}" in code
        return ones(situation.batch, count, dtype="bool" if selects else "int64")

    return maker


def _frames(facts: Facts, situation: Situation, made: Made) -> int:
    """The axis of a spectrogram that is not the bands; 0 without one."""
    name = next((n for n in ("input_features", "audio_input_features") if n in made), None)
    shape = made[name].shape if name else ()
    if name is None or len(shape) != _AXES:
        return max(shape[1:], default=0)
    return shape[2] if _bands_first(name, facts, situation) else shape[1]


def embedded(facts: Facts, situation: Situation, made: Made) -> Spec:
    """How many places each sound takes once it is embedded."""
    count = _frames(facts, situation, made) or _FRAMES
    shorter = facts.number("time_reduction", default=8, place=facts.audio)
    return fixed([max(1, count // shorter)] * situation.batch)


def samples_in_each(facts: Facts, situation: Situation, made: Made) -> Spec:
    """How many samples each spectrogram was made from."""
    count = _frames(facts, situation, made) or _FRAMES
    hop = facts.number("hop_length", default=160, place=facts.audio)
    return fixed([count * hop] * situation.batch)


def ends_of_sounds(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Where each of the sounds of a row ends: there is one, as long as the row."""
    given = made.get("input_values")
    count = given.shape[-1] if given is not None else situation.samples or _SAMPLES
    return fixed([[count]] * situation.batch)


def samples(name: str) -> Maker:
    def maker(facts: Facts, situation: Situation, made: Made) -> Spec:
        count = situation.samples or _SAMPLES
        frames_, bands = (
            figure(facts.config, each, kinds=(int,)) for each in ("max_length", "num_mel_bins")
        )
        if frames_ and bands:  # a spectrogram of fixed size under the name of samples
            return normal(situation.batch, frames_, bands)
        channels = figure(facts.config, "audio_channels", "input_channels", kinds=(int,)) or 1
        documented = len(facts.arguments[name].shape or ()) == 3
        if documented ^ (situation.layout % 2 == 1):
            return normal(situation.batch, channels, count)
        return normal(situation.batch, count)

    return maker


def samples_mask(facts: Facts, situation: Situation, made: Made) -> Spec:
    given = next((made[n] for n in ("input_values", "audio_values") if n in made), None)
    count = given.shape[-1] if given is not None else situation.length
    return ones(situation.batch, count)


def spoken(facts: Facts, situation: Situation, made: Made) -> Spec:
    bands = facts.number("num_mel_bins", default=80)
    return normal(situation.batch, situation.length, bands)


def voice(facts: Facts, situation: Situation, made: Made) -> Spec:
    return normal(situation.batch, facts.number("speaker_embedding_dim", default=512))


def series(name: str) -> Maker:
    def maker(facts: Facts, situation: Situation, made: Made) -> Spec:
        return _series(name, facts, situation)

    return maker


def _series(name: str, facts: Facts, situation: Situation) -> Spec:
    ahead = facts.number("prediction_length", "horizon_length", default=8)
    lags = figure(facts.config, "lags_sequence", kinds=(list, tuple))
    back = facts.number("context_length", default=32) + (max(lags) if lags else 0)
    width = figure(facts.config, "num_input_channels", "input_size", kinds=(int,)) or 1
    extra = facts.number("num_time_features", default=1)
    rows = situation.batch
    if name == "future_time_features":
        return normal(rows, ahead, extra)
    if name == "past_time_features":
        return normal(rows, back, extra)
    if name == "future_values":
        return normal(rows, ahead) if width == 1 else normal(rows, ahead, width)
    words = facts.arguments["past_values"].shape or () if facts.has("past_values") else ()
    wide = width > 1 or any("input_channels" in word for word in words)
    shape = (rows, back, width) if wide else (rows, back)
    return ones(*shape, dtype="float32") if "mask" in name else normal(*shape)


def longer(facts: Facts, situation: Situation, made: Made) -> Spec:
    return zeros(situation.batch, 1, dtype="bool")


def frequency(facts: Facts, situation: Situation, made: Made) -> Spec:
    return zeros(situation.batch, 1)


def timestep(facts: Facts, situation: Situation, made: Made) -> Spec:
    return normal(situation.batch)


MAKERS: dict[str, Maker] = {
    **{name: features(name) for name in (
        "input_features", "audio_features_in", "spectrogram", "mel_spectrogram",
        "reference_mel", "audio_mel", "audio_input_features")},
    **{name: features_mask(name) for name in ("input_features_mask", "feature_attention_mask")},
    **{name: samples(name) for name in (
        "input_values", "audio_values", "waveform", "audio_input_values", "raw_audio")},
    "audio_embed_sizes": embedded,
    "chunk_sample_lengths": samples_in_each,
    "input_values_cutoffs": ends_of_sounds,
    "padding_mask": samples_mask,
    "decoder_input_values": spoken,
    "spectrogram_labels": spoken,
    "speaker_embeddings": voice,
    **{name: series(name) for name in (
        "past_values", "context", "future_values", "past_observed_mask", "past_time_features",
        "future_time_features")},
    "is_longer": longer,
    "freq": frequency,
    "timestep": timestep,
}  # fmt: skip
