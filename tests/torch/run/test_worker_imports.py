"""What the worker imports before its files."""

import subprocess
import sys


def test_the_collector_of_garbage_is_on_again_and_leaves_the_libraries_alone() -> None:
    code = (
        "import gc, sys; from rpgen.run.worker_imports import import_models; import_models();"
        " print(gc.isenabled(), gc.get_freeze_count() > 100_000, len(gc.get_objects()) < 10_000,"
        " 'transformers.modeling_utils' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4
