"""Run the benchmarks that are named (all of them without a name) and put their sections down."""

import argparse
import sys
from collections.abc import Callable

from benchmarks import architectures, cuda, faults, memory, pool, running, sharing, startup
from benchmarks.document import put_down

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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SECTIONS, []], help="which ones")
    for name in parser.parse_args().names or SECTIONS:
        section = SECTIONS[name]()
        if not section:  # it can't be taken here, and has said why
            continue
        print(section, flush=True)
        put_down(name, section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
