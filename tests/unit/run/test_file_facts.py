"""Model and family of a file, read without running it."""

from pathlib import Path

import pytest

from rpgen.run.file_facts import FileFacts, parse_facts, read_facts

GENERATED = b"""
import torch
from rpgen.models import Checkpoint

CHECKPOINT = Checkpoint("org/bert", auto_class="AutoModel")

class T:
    def setUpClass(cls):
        cls.model = pool.get_model("embedding", CHECKPOINT.name)
"""


def test_a_generated_file(tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_bytes(GENERATED)
    facts = read_facts(path)
    checkpoint = {"name": "org/bert", "auto_class": "AutoModel"}
    assert facts == FileFacts("org/bert", "embedding", True, checkpoint)
    assert facts.pool_key == "embedding:org/bert"
    assert FileFacts("org/bert").pool_key is None


@pytest.mark.parametrize(
    ("source", "facts"),
    [
        (b'FAMILY = "vision"', (None, "vision")),
        (b'FAMILY = "flowers"', (None, None)),
        (b"CHECKPOINT = Checkpoint(name)", (None, None)),
        (b'CHECKPOINT = "bert"', (None, None)),
        (b'pool.get_model("no family", "x")', (None, None)),
        (b'FAMILY = "audio"\npool.get_model("vision", "x")', (None, "audio")),
        (b"def (:", (None, None)),
        (b"\0", (None, None)),
        (b"\xff\xfe", (None, None)),
        (b"(" * 5000, (None, None)),
        (b"", (None, None)),
    ],
)
def test_what_is_not_plainly_said_is_unknown(
    source: bytes, facts: tuple[str | None, str | None]
) -> None:
    found = parse_facts(source)
    assert (found.model, found.family) == facts


def test_a_file_insists_on_trained_weights_when_it_or_the_run_says_so() -> None:
    insisting = parse_facts(b'CHECKPOINT = Checkpoint("gpt2", weights="pretrained")')
    assert insisting.insists({})
    assert not insisting.insists({"RPGEN_WEIGHTS": "tiny"})
    lenient = parse_facts(b'CHECKPOINT = Checkpoint("gpt2", weights="auto")')
    assert not lenient.insists({})
    assert lenient.insists({"RPGEN_WEIGHTS": "pretrained"})
    assert not FileFacts(needs_models=True).insists({"RPGEN_WEIGHTS": "pretrained"})


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("import torch", True),
        ("    from transformers import AutoModel", True),
        ("from rpgen import checks", True),
        ("import torchless", False),
        ('"""import torch"""', False),
        ("import unittest", False),
    ],
)
def test_models_are_needed_where_their_packages_are_imported(
    source: str, needed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "test_x.py"
    path.write_text(source)
    assert read_facts(path).needs_models is needed


def test_a_file_that_is_gone_has_no_facts(tmp_path: Path) -> None:
    assert read_facts(tmp_path / "gone.py") == FileFacts()
