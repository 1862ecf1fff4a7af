"""The names that the guide promises for classification; `rpgen.classification` does the work.

Values are plain strings and dicts here, as old scripts expect them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rpgen.classification import ModelFacts, classify
from rpgen.classification.evidence import METHODS
from rpgen.classification.name_index import tokens
from rpgen.errors import OutputError
from rpgen.families import FAMILY_OF, Classification, Family, Subfamily, template_name
from rpgen.heads import TAGS, split
from rpgen.model_database import SCHEMA, ModelDatabase, load
from rpgen.name_patterns import USES
from rpgen.whole_files import write_whole

_DESCRIPTIONS = {
    Family.EMBEDDING: "Text in, vectors or labels out: BERT and its kin",
    Family.TEXT_GENERATION: "Text in, text out: GPT, LLaMA, T5",
    Family.VISION: "Images in: ViT, DETR",
    Family.AUDIO: "Sound in or out: Whisper, Wav2Vec2",
    Family.MULTIMODAL: "Images and text together: CLIP, LLaVA, LayoutLM",
}


def _of(what: Family | Subfamily, table: Mapping[str, Family | Subfamily | None]) -> list[str]:
    """The keys of a table whose value is this family or sub-family."""
    return [key for key, value in table.items() if value and what in split(value)]


_WORDS = {text: word.says for text, word in USES.items()}

MODEL_FAMILIES: dict[str, dict[str, Any]] = {
    family.value: {
        "description": _DESCRIPTIONS[family],
        "keywords": _of(family, _WORDS),
        "tasks": _of(family, TAGS),
        "methods": _of(family, METHODS),
    }
    for family in Family
}

MODEL_SUBFAMILIES: dict[str, list[dict[str, Any]]] = {
    family.value: [
        {"name": one.value, "keywords": _of(one, _WORDS), "tasks": _of(one, TAGS)}
        for one in Subfamily
        if FAMILY_OF[one] is family
    ]
    for family in Family
}


class ModelFamilyClassifier:
    """Classifies models, with a database of one's own if `model_db_path` names one.

    The file may not exist yet: `update_model_db` makes it. Family definitions of one's own add
    their keywords as the last source, for names that say nothing to rpgen.
    """

    def __init__(
        self,
        model_family_defs: Mapping[str, Mapping[str, Any]] | None = None,
        model_subfamily_defs: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        model_db_path: str | Path | None = None,
    ) -> None:
        self.families = dict(model_family_defs or MODEL_FAMILIES)
        self.subfamilies = dict(model_subfamily_defs or MODEL_SUBFAMILIES)
        self.model_db_path = model_db_path
        self._own_words = model_family_defs is not None or model_subfamily_defs is not None
        self._noted: dict[str, dict[str, Any]] = {}
        self._database = self._load()

    @property
    def model_db(self) -> dict[str, Any]:
        """The well-known models, as the file and `update_model_db` have them."""
        return dict(self._database.raw_models)

    def classify_model(
        self,
        model_name: str,
        model_class: str | type | None = None,
        tasks: Sequence[str] | None = None,
        methods: Sequence[str] | None = None,
        hw_compatibility: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """`hw_compatibility` is accepted for old scripts; what a model is doesn't depend on it."""
        facts = ModelFacts(
            name=model_name, model_class=model_class, tasks=tasks or (), methods=methods or ()
        )
        answer = as_dict(classify(facts, self._database))
        if answer["family"] is None and answer["source"] == "none" and self._own_words:
            answer.update(self._by_own_words(model_name))
        return answer

    def get_template_for_family(self, family: str | None, subfamily: str | None = None) -> str:
        """The template's file name; the general one for a family that is not one of the five."""
        return template_name(Family(family) if family in list(Family) else None)

    def update_model_db(self, model_name: str, classification: Mapping[str, Any]) -> None:
        """Note down a classification, in the file too if there is one.

        An answer without a family is not noted. OutputError if the file can't be written.
        """
        if not classification.get("family"):
            return
        wanted = ("family", "subfamily", "confidence")
        entry = {key: classification[key] for key in wanted if classification.get(key)}
        if self.model_db_path:
            _add(Path(self.model_db_path), model_name, entry)
        self._noted[model_name] = entry
        self._database = self._load()

    def _load(self) -> ModelDatabase:
        """The file, or the shipped database, and what was noted without a file."""
        path = Path(self.model_db_path) if self.model_db_path else None
        found = load(path if path is not None and path.exists() else None)
        if not self._noted:
            return found
        models = dict(found.raw_models)
        for name, entry in self._noted.items():
            models[name] = {**models.get(name, {}), **entry}
        return replace(found, raw_models=models)

    def _by_own_words(self, model_name: str) -> dict[str, Any]:
        words = set(tokens(model_name))
        for family, definition in self.families.items():
            found = words & {str(one).lower() for one in definition.get("keywords", ())}
            if found:
                told = f"the name holds {', '.join(sorted(found))}, a keyword of {family}"
                answer: dict[str, Any] = {"source": "name", "family": family, "confidence": 0.5}
                template = self.get_template_for_family(family)
                subfamily = self._own_subfamily(family, words)
                analysis = {**answer, "subfamily": subfamily, "reason": told}
                answer |= {"subfamily": subfamily, "subfamily_confidence": 0.5 * bool(subfamily)}
                return {**answer, "analyses": [analysis], "template": template}
        return {}

    def _own_subfamily(self, family: str, words: set[str]) -> str | None:
        for definition in self.subfamilies.get(family, ()):
            if words & {str(one).lower() for one in definition.get("keywords", ())}:
                return str(definition.get("name")) if definition.get("name") else None
        return None


def classify_model(
    model_name: str,
    model_class: str | type | None = None,
    tasks: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    hw_compatibility: Mapping[str, Any] | None = None,
    model_db_path: str | Path | None = None,
) -> dict[str, Any]:
    """Family, sub-family, confidences, source, analyses and template of a model, as a dict."""
    classifier = ModelFamilyClassifier(model_db_path=model_db_path)
    return classifier.classify_model(model_name, model_class, tasks, methods, hw_compatibility)


def as_dict(answer: Classification) -> dict[str, Any]:
    """The answer in the form of the guide, JSON values only."""
    return {
        "model_name": answer.model_name,
        "family": _plain(answer.family),
        "subfamily": _plain(answer.subfamily),
        "confidence": answer.confidence,
        "subfamily_confidence": answer.subfamily_confidence,
        "source": answer.source,
        "analyses": [
            {
                "source": one.source,
                "family": _plain(one.family),
                "subfamily": _plain(one.subfamily),
                "confidence": one.confidence,
                "reason": one.reason,
            }
            for one in answer.findings
        ],
        "template": answer.template,
    }


def _plain(value: Family | Subfamily | None) -> str | None:
    return value.value if value else None


def _add(path: Path, model_name: str, entry: Mapping[str, Any]) -> None:
    """Add a model to a database file, made if need be: one writer at a time, in one step."""
    from filelock import FileLock

    try:
        with FileLock(path.with_name(path.name + ".lock")):
            content: dict[str, Any] = {"schema": SCHEMA, "made_with": {}, "architectures": {}}
            content["models"] = {}
            if path.exists():
                load(path)  # a file that is not ours is never written over
                content = json.loads(path.read_bytes())
            content["models"][model_name] = {**content["models"].get(model_name, {}), **entry}
            write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{path} can't be written ({reason}): name another file") from error
