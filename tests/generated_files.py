"""Running a generated file in this process."""

import unittest
from pathlib import Path
from typing import Any

from rpgen.pool.pool import ResourcePool


def run(
    source: str, only: tuple[str, ...] = (), place: Path = Path("generated.py")
) -> unittest.TestResult:
    """The tests of a file, or those whose name holds one of the words, with a pool of their own."""
    namespace: dict[str, Any] = {"__name__": "generated", "__file__": str(place)}
    exec(compile(source, "generated.py", "exec"), namespace)
    pool = ResourcePool()
    namespace["get_global_resource_pool"] = lambda: pool
    (case,) = (
        value
        for value in namespace.values()
        if isinstance(value, type) and issubclass(value, unittest.TestCase)
    )
    names = unittest.defaultTestLoader.getTestCaseNames(case)
    chosen = [name for name in names if not only or any(word in name for word in only)]
    result = unittest.TestResult()
    unittest.TestSuite(case(name) for name in chosen).run(result)
    pool.clear()
    assert result.testsRun == len(chosen) > 0, bad(result)
    return result


def bad(result: unittest.TestResult) -> list[str]:
    return [f"{case}: {text}" for case, text in [*result.failures, *result.errors]]
