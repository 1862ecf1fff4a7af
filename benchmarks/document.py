"""The paper of all figures: each benchmark's section stands between marks of its name."""

import re
from pathlib import Path

PAPER = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def put_down(name: str, section: str) -> None:
    PAPER.write_text(replaced(PAPER.read_text("utf-8"), name, section), "utf-8")


def replaced(paper: str, name: str, section: str) -> str:
    """`paper` with the text between the marks of `name` exchanged; at its end if it has none."""
    marked = f"<!-- {name} -->\n{section.strip()}\n<!-- /{name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    if pattern.search(paper):
        return pattern.sub(lambda _: marked, paper)
    return f"{paper.rstrip()}\n\n{marked}\n"
