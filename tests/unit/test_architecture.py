"""The parts import downwards only, and the light ones stay light."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import rpgen

PACKAGE = Path(rpgen.__file__).parent
LAYERS = (
    {"errors", "paths", "whole_files"},
    {"families", "grounds"},
    {"heads", "model_database", "name_patterns", "classification", "refresh_database"},
    {"hardware"},
    {"placement"},
    {"models", "backends"},
    {"pool"},
    {"resource_pool", "hardware_detection", "model_family_classifier"},
    {"checks"},
    {"generate", "architectures"},
    {"run"},
    {"history"},
    {"report"},
    {"cli"},
    {"__main__"},
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
TERMINAL = {"typer", "rich"}
HEAVY = {"torch", "transformers", "openvino", "onnxruntime", "ray", "playwright"}
ROOT = Path(__file__).parents[2]
OPTIONAL = {"markupsafe", "torchao"}  # jinja2's own; what a person may have beside bitsandbytes
MAY_IMPORT_TORCH_AT_THE_TOP = {"checks"}
MADE_OF_TORCH = {"models/timm_stand_in.py"}
"""Classes of torch, and nothing else: who needs them imports the file where it does."""


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """The modules that a tree imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def ident(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", modules(), ids=ident)
def test_no_arrow_points_upwards(path: Path) -> None:
    own = part_of(path)
    names = imported(ast.parse(path.read_text("utf-8")))
    parts = {name.split(".")[1] for name in names if name.startswith("rpgen.")}
    upward = {part for part in parts & LEVEL.keys() if LEVEL[part] > LEVEL[own]}
    assert not upward, f"{ident(path)} imports {sorted(upward)}, which lie above {own}"


@pytest.mark.parametrize("path", modules(), ids=ident)
def test_only_the_command_line_and_the_console_report_know_the_terminal(path: Path) -> None:
    if part_of(path) in ("cli", "report"):
        return
    names = imported(ast.parse(path.read_text("utf-8")))
    assert not {name for name in names if name.split(".")[0] in TERMINAL}


@pytest.mark.parametrize("path", modules(), ids=ident)
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    if part_of(path) in MAY_IMPORT_TORCH_AT_THE_TOP or ident(path) in MADE_OF_TORCH:
        return
    top = [
        node
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    names = {name for node in top for name in imported(node)}
    assert not {name for name in names if name.split(".")[0] in HEAVY}


def test_every_part_has_its_layer() -> None:
    parts = {part_of(path) for path in modules()}
    assert parts == set(LEVEL), "a part without a layer, or a layer without its part"


def test_what_is_imported_is_declared() -> None:
    """Everything that is no part of Python comes with the package or with one of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(w for n, ws in extras.items() if n != "dev" for w in ws)]
    declared = {_plain(re.split(r"[^\w.-]", requirement)[0]) for requirement in wanted}
    of_module = packages_distributions()
    tops = {name.partition(".")[0] for path in modules() for name in _absolute_imports(path)}
    for name in tops - set(sys.stdlib_module_names) - {"rpgen"}:
        distributions = {_plain(each) for each in of_module.get(name, [name])}
        assert distributions & declared or name in OPTIONAL, name


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _absolute_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    return found | {
        n.module
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom) and n.module and n.level == 0
    }
