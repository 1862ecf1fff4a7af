"""What files with models need anyway, imported once, before the first of them."""

import contextlib
import os
import sys
from pathlib import Path

from rpgen.errors import RpgenError
from rpgen.run.file_facts import read_facts


def import_for(path: Path) -> None:
    """Import what a file needs, unless it will fail anyway because its model can't be had.

    The tests say why; with seconds of imports before them the answer would come no clearer.
    """
    if "rpgen.resource_pool" in sys.modules:
        return
    facts = read_facts(path)
    if facts.insists(os.environ):
        from rpgen.models import Checkpoint

        try:
            Checkpoint(**facts.checkpoint).choice()
        except (RpgenError, TypeError):
            return
    import_models()


def import_models() -> None:
    """Import torch, transformers and the pool, so that no file's time or memory bears it.

    A library that is missing or broken is the tests' to report. The collector of garbage would
    look through what has been imported so far again and again: a tenth of the time.
    """
    import gc

    gc.disable()
    with contextlib.suppress(ImportError):
        import torch  # noqa: F401
    with contextlib.suppress(ImportError, RuntimeError):  # transformers wraps what it can't import
        import transformers.generation
        import transformers.modeling_utils
        import transformers.models.auto.modeling_auto
        import transformers.processing_utils
        import transformers.tokenization_utils_base  # noqa: F401
    with contextlib.suppress(ImportError):
        import rpgen.models
        import rpgen.resource_pool  # noqa: F401
    gc.collect()
    gc.freeze()  # the libraries' objects stay: later collections needn't look at them
    gc.enable()
