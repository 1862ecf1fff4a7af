"""What a generated test names its model by, and gets it from.

Making a Checkpoint is cheap and imports nothing heavy; torch comes in with the first load.
Model, tokenizer and processor of one Checkpoint always come from the same choice of weights.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from rpgen.errors import ModelUnavailableError, UsageError
from rpgen.models.estimate import WeightEstimate, from_files
from rpgen.models.hub import HubAnswer, ask_hub, fetch, hub_reach
from rpgen.models.local_files import LocalFiles
from rpgen.models.once import Once
from rpgen.models.reference import ModelReference, ReferenceKind, local_files, parse_reference
from rpgen.models.weights import (
    Weights,
    WeightsChoice,
    WeightsFacts,
    choose_weights,
    needs_hub,
    needs_size,
)
from rpgen.placement.estimate import CacheShape
from rpgen.placement.kv_cache import cache_shape
from rpgen.placement.split import Split

_NOT_ASKED = HubAnswer(None, "the hub was not asked")
_NO_FILES = LocalFiles(problem="the model's files were not looked for")


@dataclass(frozen=True)
class Checkpoint:
    """`name` is a hub id, a folder or a `.gguf` file; `auto_class` the head that is tested.

    `weights` is auto, pretrained, random or tiny; RPGEN_WEIGHTS in the environment overrides
    it. `options` are passed on to transformers (`attn_implementation`, `num_labels`).
    """

    name: str
    auto_class: str = "AutoModel"
    model_type: str | None = None
    weights: str = "auto"
    revision: str | None = None
    trust_remote_code: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    _once: Once = field(default_factory=Once, init=False, repr=False, compare=False)

    def asked(self) -> Weights:
        """What was asked for: RPGEN_WEIGHTS, else `weights`. Raises UsageError."""
        text = os.environ.get("RPGEN_WEIGHTS") or self.weights
        try:
            return Weights(text)
        except ValueError as error:
            known = ", ".join(Weights)
            raise UsageError(f"{text!r} is not a kind of weights: write one of {known}") from error

    def choice(self) -> WeightsChoice:
        """Which weights it will be. Decided once; asks the hub at most once, briefly."""
        asked = self.asked()
        return cast(WeightsChoice, self._once(f"choice {asked}", lambda: self._choose(asked)))

    def load_model(
        self, device: str = "cpu", dtype: str | None = None, split: Split | None = None
    ) -> Any:
        """The model in eval mode on the device, its loading report in `rpgen_loading_info`;
        `rpgen_untrained` where nobody trained its weights.

        `dtype` is fp32, fp16, bf16, or int8 and int4 by a package that quantises; with `split`
        the model lies on several devices.
        """
        from rpgen.models import load, special_loads, tiny

        shared: dict[str, Any] = {
            "trust_remote_code": self.trust_remote_code,
            "options": self.options,
        }
        special = special_loads.wanted(self.auto_class, device, dtype, split, shared)
        if special is None:
            shared |= {"device": device, "dtype": dtype}
        choice, files = self.choice(), self._files()
        if choice.kind is Weights.PRETRAINED:
            files = self._whole_files()
            assert files.folder is not None
            if special is not None and not files.gguf:
                return special(files.folder)
            shared |= {"device": device, "dtype": dtype}
            return load.pretrained_model(files.folder, self.auto_class, gguf=files.gguf, **shared)
        if choice.kind is Weights.RANDOM:
            model = load.built_model(self._full_config(), self.auto_class, **shared)
        else:
            model = tiny.tiny_model(self._tiny_config(), self.auto_class, **shared)
        model.rpgen_untrained = True
        return model if special is None else special_loads.from_saved(model, special)

    def load_tokenizer(self) -> Any:
        return self._load_part("AutoTokenizer")

    def load_processor(self) -> Any:
        """The joint processor of a model that takes several kinds of input."""
        return self._load_part("AutoProcessor")

    def load_image_processor(self) -> Any:
        return self._load_part("AutoImageProcessor")

    def load_feature_extractor(self) -> Any:
        return self._load_part("AutoFeatureExtractor")

    def pooling(self) -> str | None:
        """How sentence vectors are made: mean, cls, max or last; None where nothing says."""
        from rpgen.models.pooling import pooling_of

        return pooling_of(self._files())[0]

    def normalises(self) -> bool:
        """Does the model's `modules.json` end in a normalisation to length 1?"""
        from rpgen.models.pooling import pooling_of

        return pooling_of(self._files())[1]

    def estimate(self) -> WeightEstimate:
        """The size of what would be loaded, from the best source at hand.

        Once transformers is imported, the configuration itself is the better one.
        """
        kind = self.choice().kind
        known = f"estimate {kind}, {'transformers' in sys.modules}"
        return cast(WeightEstimate, self._once(known, lambda: self._estimate(kind)))

    @property
    def can_split(self) -> bool:
        """Whether `load_model` takes a `split`: a GGUF file is unpacked as a whole."""
        return self._files().gguf is None

    def cache_shape(self) -> CacheShape | None:
        """The key-value cache of what would be loaded; None where nothing tells."""
        tiny = self.choice().kind is Weights.TINY
        if "transformers" not in sys.modules or self._files().gguf:
            return None if tiny else cache_shape(self._known_config() or {})
        config = self._tiny_config() if tiny else self._full_config()  # with all the defaults
        return cache_shape(config.to_dict())

    def pool_options(self) -> dict[str, Any]:
        """What makes two instances of one name different, for the pool's identity."""
        choice = self.choice()
        options = {key: repr(value) for key, value in sorted(self.options.items())}
        return {
            "auto_class": self.auto_class,
            "weights": str(choice.kind),
            "revision": choice.revision or self.revision,
            **({"remote_code": True} if self.trust_remote_code else {}),
            **options,
        }

    def describe(self) -> dict[str, Any]:
        """For reports: plain values."""
        choice = self.choice()
        return {
            "name": self.name,
            "model_type": self._model_type(),
            "auto_class": self.auto_class,
            "weights": str(choice.kind),
            "weights_reason": choice.reason,
            "revision": choice.revision or self.revision,
        }

    def _reference(self) -> ModelReference:
        return parse_reference(self.name, self.revision)

    def _files(self) -> LocalFiles:
        return cast(LocalFiles, self._once("files", lambda: local_files(self._reference())))

    def _whole_files(self) -> LocalFiles:
        """The files with the weights, fetched from the hub if they aren't here yet."""
        files = self._files()
        if files.whole:
            return files
        choice = self.choice()

        def fetched() -> LocalFiles:
            folder = fetch(self.name, choice.revision or self.revision)
            found = local_files(ModelReference(self.name, ReferenceKind.FOLDER, str(folder)))
            return replace(found, revision=folder.name)

        found = cast(LocalFiles, self._once("fetched", fetched))
        if not found.whole:
            raise ModelUnavailableError(f"{self.name} can't be loaded: {found.problem}")
        return found

    def _choose(self, asked: Weights) -> WeightsChoice:
        reference, files = self._reference(), self._files()
        from_path = reference.kind is not ReferenceKind.HUB
        model_type, config_known = self._model_type(), self._known_config() is not None
        hub = self._ask() if needs_hub(asked, files, from_path) else _NOT_ASKED
        facts = WeightsFacts(
            name=self.name,
            asked=asked,
            files=files,
            hub=hub,
            from_path=from_path,
            model_type=model_type,
            config_known=config_known,
            free_mb=_free_mb(),
        )
        if needs_size(facts):
            facts = replace(facts, parameters=self._count_full_size())
        return choose_weights(facts)

    def _ask(self) -> HubAnswer:
        reached, reason = hub_reach()
        return ask_hub(self.name, self.revision) if reached else HubAnswer(None, reason)

    def _known(self) -> Any:
        """The curated entry of the model database, None where there is none."""
        from rpgen import model_database

        return self._once("known", lambda: model_database.load().model(self.name))

    def _known_config(self) -> dict[str, Any] | None:
        """The figures of full size: the model's own configuration, else the database's."""
        config = self._files().config
        if config is not None:
            return dict(config)
        known = self._known()
        if known is None:
            return None
        if self.name == self.model_type:  # an architecture, or its model that is called like it
            return dict(known.config)
        return {**known.config, "model_type": known.model_type}

    def _model_type(self) -> str | None:
        if self.model_type:
            return self.model_type
        found = (self._known_config() or {}).get("model_type")
        return str(found) if found else None

    def _full_config(self) -> Any:
        from rpgen.models import load, tiny

        files = self._files()
        if files.folder is not None and files.config is not None:
            return load.load_config(files.folder, files.gguf, self.trust_remote_code)
        return tiny.full_config(self._model_type(), self._known_config() or {})

    def _tiny_config(self) -> Any:
        from rpgen.models import tiny

        def shrink() -> Any:
            return tiny.tiny_config(self._model_type(), self._known_config(), self.auto_class)

        return self._once("tiny config", shrink)

    def _load_part(self, loader: str) -> Any:
        from rpgen.models import load, tiny_parts

        choice, files = self.choice(), self._files()
        if choice.kind is Weights.PRETRAINED:
            files = self._whole_files()
        real = files.tokenizer if loader == "AutoTokenizer" else files.processor
        if (
            files.folder is not None
            and choice.kind is not Weights.TINY
            and (real or choice.kind is Weights.PRETRAINED)
        ):
            return load.load_part(loader, files.folder, files.gguf, self.trust_remote_code)
        tiny_weights = choice.kind is Weights.TINY
        config = self._tiny_config() if tiny_weights else self._full_config()
        return tiny_parts.build_part(loader, config)

    def _estimate(self, kind: Weights) -> WeightEstimate:
        """Before a load transformers is imported: then the configuration is asked as well."""
        from rpgen.models import tiny

        known = self._estimate_from_files(kind)
        if "transformers" in sys.modules:
            return self._with_configuration(kind, known)
        if known is None and kind is Weights.TINY:
            return WeightEstimate(tiny.LARGEST_TINY, "the limit of a tiny model")
        return known or WeightEstimate(self._count_full_size(), "the configuration")

    def _estimate_from_files(self, kind: Weights) -> WeightEstimate | None:
        if kind is Weights.PRETRAINED:
            files = (
                self._files() if self._files().whole else self._once.made.get("fetched", _NO_FILES)
            )
            return from_files(files) or self._from_database("the hub has not told its size")
        if kind is Weights.RANDOM and self._files().config is None:
            known = self._from_database("")
            return known if known.parameters is not None else None
        return None

    def _with_configuration(self, kind: Weights, known: WeightEstimate | None) -> WeightEstimate:
        """Trained weights are loaded whatever the configuration alone would give, or fail to."""
        from rpgen.models.meta_device import count_tensors

        trained = kind is Weights.PRETRAINED
        if known is not None and trained and (self._files().config is None or self._files().gguf):
            return known
        try:
            config = self._tiny_config() if kind is Weights.TINY else self._full_config()
            counts = count_tensors(config, self.auto_class, self.trust_remote_code, self.options)
        except Exception:  # the files will do, and the load says what is wrong
            if known is None or not trained:
                raise
            return known
        if known is not None and trained:
            return known.with_tensors(counts)
        return WeightEstimate(
            counts.parameters,
            "the configuration on the meta device",
            values=counts.values,
            fixed_bytes=counts.fixed_bytes,
            linear=counts.linear,
        )

    def _from_database(self, otherwise: str) -> WeightEstimate:
        known = self._known()
        if known is not None and known.parameters:
            return WeightEstimate(known.parameters, "database")
        return WeightEstimate(None, otherwise)

    def _count_full_size(self) -> int | None:
        from rpgen.models import load

        def count() -> int:
            return load.count_parameters(
                self._full_config(), self.auto_class, self.trust_remote_code
            )

        return cast(int, self._once("full size", count))


def _free_mb() -> float | None:
    from rpgen.hardware.memory import host_memory

    return host_memory().available_mb
