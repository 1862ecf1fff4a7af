"""Run the benchmarks that are named (all of them without a name) and put their sections down."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import architectures, cuda, faults, memory, pool, running, sharing, startup

SECTIONS: dict[str, Callable[[], str]] = {
    "startup": startup.section,
    "sharing": sharing.section,
    "pool": pool.section,
    "memory": memory.section,
    "running": running.section,
    "faults": faults.section,
    "architectures": architectures.section,
    "cuda": cuda.section,
}
PAPER = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SECTIONS, []], help="which ones")
    for name in parser.parse_args().names or SECTIONS:
        section = SECTIONS[name]()
        if not section:  # it can't be taken here, and has said why
            continue
        print(section, flush=True)
        PAPER.write_text(replaced(PAPER.read_text("utf-8"), name, section), "utf-8")
    return 0


def replaced(paper: str, name: str, section: str) -> str:
    """`paper` with the text between the marks of `name` exchanged; at its end if it has none."""
    marked = f"<!-- {name} -->\n{section.strip()}\n<!-- /{name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    if pattern.search(paper):
        return pattern.sub(lambda _: marked, paper)
    return f"{paper.rstrip()}\n\n{marked}\n"


if __name__ == "__main__":
    sys.exit(main())
