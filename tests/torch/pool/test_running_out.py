"""Checkpoints under a real limit on the process: they evict, or fail with the message.

A limit on addresses makes an allocation fail; one on a control group is kept to by the kernel's
killing, so there nothing may even be tried that doesn't fit. The group is a child of this
process's own: where the system hasn't handed that one over, there is nothing to be tested.

A load maps the file twice for a moment, so "big" takes 400 MB of addresses and then 200; with
290 to be had it fits once "idle" has gone.
"""

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel
from transformers.initialization import no_init_weights

from rpgen.hardware.cgroup import _hierarchies

LIMIT = 120.0

LIMITED = """
import resource, sys, weakref, torch
from rpgen.errors import DoesNotFitError
from rpgen.models import Checkpoint
from rpgen.pool.pool import ResourcePool
from tests import half_types

MB = 2**20
torch.set_num_threads(1)
folder = sys.argv[1]
pool = ResourcePool(snapshot=half_types.snapshot)
def get(name, wishes=None):
    checkpoint = Checkpoint(f"{folder}/{name}", "AutoModel")
    return pool.get_model("embedding", name, checkpoint.load_model, wishes)
warm = get("small")
with torch.inference_mode():
    warm(torch.tensor([[1, 2, 3]]))
idle = weakref.ref(get("idle"))
with open("/proc/self/statm") as stream:
    now = int(stream.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 290 * MB, resource.RLIM_INFINITY))
with pool.lease("embedding", "big", Checkpoint(f"{folder}/big", "AutoModel").load_model) as big:
    print("loaded after", "freed" if idle() is None else "kept")
    try:
        get("huge")
    except DoesNotFitError as error:
        print("refused:", error)
    with torch.inference_mode():
        print("works", tuple(big(torch.tensor([[1, 2, 3]])).last_hidden_state.shape))
print("alive", pool._reservations.by_domain())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    for name, words in (("small", 100), ("idle", 160_000), ("big", 200_000), ("huge", 600_000)):
        config = BertConfig(
            vocab_size=words,
            hidden_size=256,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
        )
        with no_init_weights():  # what the weights are doesn't matter
            BertModel(config).save_pretrained(made / name)
    return made


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS and /proc")
@pytest.mark.parametrize("how", ["mapped", "copied"])
def test_a_limited_process_evicts_then_refuses_and_never_dies(folder: Path, how: str) -> None:
    code = textwrap.dedent(LIMITED)
    if how == "copied":  # into another dtype: memory of its own instead of the file's
        code = code.replace("load_model)", "load_model, {'precision': 'bf16'})")
        code = code.replace("load_model, wishes)", "load_model, {'precision': 'bf16'})")
        code = code.replace("290 * MB", "350 * MB")
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, refused, works, alive = done.stdout.splitlines()
    assert loaded == "loaded after freed"
    assert refused.startswith("refused: The model could be loaded on no device (cpu: ")
    assert "embedding:big" in refused
    assert "on cpu in use" in refused
    assert works == "works (1, 3, 256)"
    assert alive == "alive {}"


IN_A_GROUP = """
import gc, sys, weakref, torch
from pathlib import Path
from rpgen.errors import DoesNotFitError
from rpgen.hardware.cgroup import memory_groups
from rpgen.hardware.memory import host_memory
from rpgen.models import Checkpoint
from rpgen.pool.pool import ResourcePool
from tests import half_types

MB = 2**20
torch.set_num_threads(1)
folder, group, limit_file = sys.argv[1:]
pool = ResourcePool(snapshot=half_types.snapshot)
def get(name):
    checkpoint = Checkpoint(f"{folder}/{name}", "AutoModel")
    return pool.get_model("embedding", name, checkpoint.load_model, {"precision": "bf16"})
warm = get("small")
with torch.inference_mode():
    warm(torch.tensor([[1, 2, 3]]))
limit = Path(group) / limit_file
limit.write_text(str(64 * 1024 * MB))  # so that what is used can be told: without the files' cache
used = next(found.used for found in memory_groups() if found.folder == Path(group))
limit.write_text(str(used + 170 * MB))
pool.disable_low_memory_mode()
print("limit", host_memory().limit_source)
idle = weakref.ref(get("idle"))
big = Checkpoint(f"{folder}/big", "AutoModel")
with pool.lease("embedding", "big", big.load_model, {"precision": "bf16"}) as model:
    print("loaded after", "freed" if idle() is None else "kept")
    try:
        get("huge")
    except DoesNotFitError as error:
        print("refused:", error)
    with torch.inference_mode():
        print("works", tuple(model(torch.tensor([[1, 2, 3]])).last_hidden_state.shape))
print("alive", pool._reservations.by_domain())
"""


@pytest.fixture
def group() -> Iterator[tuple[Path, str]]:
    """An empty group in which memory can be limited, and its file of the limit."""
    names = {1: "memory.limit_in_bytes", 2: "memory.max"}
    for hierarchy in _hierarchies(Path("/"), "memory"):
        made = next(hierarchy.groups()) / f"rpgen-test-{os.getpid()}"
        try:
            made.mkdir()
        except OSError:
            continue
        limit = names[hierarchy.version]
        try:
            if (made / limit).exists():
                yield made, limit
                return
        finally:
            with contextlib.suppress(OSError):
                made.rmdir()
    pytest.skip("no control group for memory can be made here: the own one is not handed over")


def test_a_group_with_a_limit_evicts_then_refuses_and_is_never_killed(
    folder: Path, group: tuple[Path, str]
) -> None:
    where, limit = group
    code = textwrap.dedent(IN_A_GROUP)
    join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", join, str(where), sys.executable, "-c", code, str(folder), str(where), limit],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    source, loaded, refused, works, alive = done.stdout.splitlines()
    assert source.startswith("limit cgroup v")
    assert loaded == "loaded after freed"
    assert refused.startswith("refused: The model fits on no device that it may use (cpu: needs ")
    assert works == "works (1, 3, 256)"
    assert alive == "alive {}"
