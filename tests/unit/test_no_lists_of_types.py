"""What is special about an architecture stands in the model database, not in lists in the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import rpgen
from rpgen.model_database import load

PACKAGE = Path(rpgen.__file__).parent
MOST = 10  # in one list, pattern, mapping or function
MOST_OF_ALL = 20  # in one module, whatever they are divided into
TYPES = frozenset(load().raw_architectures)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def types_in(tree: ast.AST) -> set[str]:
    """The types that the strings of a module name, whether one by one, as the words of a
    pattern or in a row; what is written about them in docstrings does not count."""
    words = (word for text in strings(tree) for word in words_of(text))
    return {word for word in words if word in TYPES}


def strings(tree: ast.AST) -> Iterator[str]:
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def words_of(text: str) -> Iterator[str]:
    """`resnet-(18|50)|swin` has resnet and swin in it; `sam3_video` is one word."""
    for word in re.findall(r"[\w.-]+", text.lower()):
        yield word.strip("-._")
        yield from re.findall(r"[a-z][a-z0-9_]*", word)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_list_names_more_than_a_few_types(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    for statement in tree.body:
        found = types_in(statement)
        assert len(found) <= MOST, f"line {statement.lineno}: {sorted(found)}"
    assert len(types_in(tree)) <= MOST_OF_ALL, sorted(types_in(tree))


def test_lists_patterns_and_mappings_count() -> None:
    source = '''
"""About bert and gpt2."""
LISTED = ["bert", "gpt2"]
MAPPED = {"llama": "t5"}
PATTERN = re.compile(r"(resnet|swin)-(18|50)$|vit-base")
WORDS = "clip whisper".split()
'''
    expected = {"bert", "gpt2", "llama", "t5", "resnet", "swin", "vit", "clip", "whisper"}
    assert types_in(ast.parse(source)) == expected
