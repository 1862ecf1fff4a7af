"""Which family a model is of: `classify(ModelFacts(...), database)`."""

from rpgen.classification.classify import ModelFacts, classify

__all__ = ["ModelFacts", "classify"]
