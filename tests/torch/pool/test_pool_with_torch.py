"""The pool with real modules: sizes by storage, freeing, moving, transformers, memory limits."""

import os
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModel, BertConfig, GPT2Config, GPT2LMHeadModel

from rpgen.families import Family
from rpgen.hardware.types import Backend, Device
from rpgen.models import Checkpoint
from rpgen.placement.estimate import Needs
from rpgen.pool.cleanup import empty_backend_cache, trim_host
from rpgen.pool.gate import needs_gate
from rpgen.pool.pool import ResourcePool
from rpgen.pool.sizing import measure
from tests import half_types

LIMIT = 60.0
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 100}


def tiny_bert() -> nn.Module:
    return AutoModel.from_config(BertConfig(**TINY, intermediate_size=64))


def tiny_gpt2() -> nn.Module:
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=500)).eval()


def true_bytes(module: nn.Module) -> int:
    """Bytes of distinct parameters and buffers, tied ones once."""
    tensors = [*module.parameters(), *module.buffers()]  # parameters() names tied ones once
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.fixture
def pool() -> Iterator[ResourcePool]:
    made = ResourcePool(snapshot=half_types.snapshot)
    yield made
    made.clear()


def test_accounting_is_exact(pool: ResourcePool) -> None:
    model = pool.get_model("embedding", "bert", tiny_bert)
    stats = pool._stats["embedding:bert"]
    assert stats["memory_usage"] == true_bytes(model)
    assert stats["memory_estimation_method"] == "storages of parameters and buffers"
    assert (stats["device"], stats["dtype"]) == ("cpu", "fp32")


def test_tied_weights_count_once(pool: ResourcePool) -> None:
    model = pool.get_model("text_generation", "gpt2", tiny_gpt2)
    assert model.lm_head.weight is model.transformer.wte.weight
    twice = true_bytes(model) + model.lm_head.weight.numel() * 4
    assert pool._stats["text_generation:gpt2"]["memory_usage"] == true_bytes(model) < twice


def test_half_types_and_precision(pool: ResourcePool) -> None:
    own = pool.get_model("embedding", "half", lambda: tiny_bert().to(torch.bfloat16))
    assert pool._stats["embedding:half"]["dtype"] == "bf16"
    assert pool._stats["embedding:half"]["memory_usage"] == true_bytes(own)
    assert next(own.parameters()).dtype is torch.bfloat16  # nobody asked for another
    asked = pool.get_model("embedding", "half", tiny_bert, {"precision": "fp32"})
    assert asked is not own
    assert next(asked.parameters()).dtype is torch.float32


def test_a_view_holds_the_whole_storage() -> None:
    module = nn.Module()
    whole = torch.zeros(1000)
    module.register_buffer("one", whole[:10])
    module.register_buffer("other", whole[10:20])
    assert measure(module).total == 4000


def test_odd_modules() -> None:
    assert measure(nn.Module()).total == 0
    assert measure(nn.Linear(1000, 1000, device="meta")).total == 0
    pair = measure({"a": nn.Linear(10, 10, bias=False), "b": nn.Linear(5, 4, bias=False)})
    assert pair.total == 480
    assert measure((nn.Linear(10, 10, bias=False), "text")).total == 400


def test_a_mask_larger_than_the_weights_is_not_what_a_model_is_in() -> None:
    model = nn.Linear(4, 4)
    model.register_buffer("mask", torch.ones(100, 100, dtype=torch.bool))
    assert measure(model).dtype == "fp32"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_weights_are_counted() -> None:
    if "qnnpack" not in torch.backends.quantized.supported_engines and (
        "fbgemm" not in torch.backends.quantized.supported_engines
    ):
        pytest.skip("this torch has no engine for quantised layers")
    plain = nn.Sequential(nn.Linear(512, 512), nn.Linear(512, 512))
    small = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear}, dtype=torch.qint8)
    found = measure(small)
    expected = 2 * (512 * 512 + 512 * 4)
    assert abs(found.total - expected) <= 0.01 * expected


def test_what_is_cleared_is_dead(pool: ResourcePool) -> None:
    watched = weakref.ref(pool.get_model("embedding", "bert", tiny_bert))
    inside = weakref.ref(next(pool.models["embedding:bert"].parameters()))
    pool.clear()
    assert watched() is None
    assert inside() is None
    assert pool.get_stats()["memory_usage"] == 0


def test_a_hook_that_refers_to_its_model_does_not_keep_it(pool: ResourcePool) -> None:
    def hooked() -> nn.Module:
        model = nn.Linear(4, 4)
        model.register_forward_hook(lambda *_: model)
        return model

    watched = weakref.ref(pool.get_model("embedding", "hooked", hooked))
    pool.clear()
    assert watched() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_loading_and_clearing_does_not_grow(pool: ResourcePool) -> None:
    def resident_mb() -> float:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def load_and_clear(times: int) -> None:
        for _ in range(times):
            pool.get_model("embedding", "big", lambda: nn.Linear(3000, 3000))  # 36 MB
            pool.clear()

    load_and_clear(3)
    before = resident_mb()
    load_and_clear(40)
    assert resident_mb() - before < 30


def test_moving_to_the_device_it_is_on(pool: ResourcePool) -> None:
    model = pool.get_model("embedding", "bert", tiny_bert)
    assert pool.move_model_to_device("embedding", "bert", "cpu")
    assert pool.models["embedding:bert"] is model


def test_moving_somewhere_and_back(pool: ResourcePool) -> None:
    """The meta device stands for an accelerator: a move there really is one."""
    model = pool.get_model("embedding", "bert", tiny_bert)
    from rpgen.pool.loading import bring

    bring(model, "meta", None)
    assert {p.device.type for p in model.parameters()} == {"meta"}


def test_a_device_that_is_not_here_is_an_error_and_changes_nothing(pool: ResourcePool) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    model = pool.get_model("embedding", "bert", tiny_bert)
    with pytest.raises((AssertionError, RuntimeError)):
        pool.move_model_to_device("embedding", "bert", "cuda:0")
    assert next(model.parameters()).device.type == "cpu"
    assert pool.get_model("embedding", "bert", tiny_bert) is model
    assert pool.cleanup_unused_resources(0) == 1


def test_checkpoints(pool: ResourcePool) -> None:
    checkpoint = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", weights="tiny")
    same = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", weights="tiny")
    head = Checkpoint("bert-base-uncased", "AutoModel", "bert", weights="tiny")
    with pool.owner("file"):
        model = pool.get_model("embedding", checkpoint.name, checkpoint.load_model)
        assert pool.get_model("embedding", same.name, same.load_model) is model
        other = pool.get_model("embedding", head.name, head.load_model)
        assert other is not model
        tokenizer = pool.get_tokenizer("embedding", checkpoint.name, checkpoint.load_tokenizer)
        assert tokenizer is pool.get_tokenizer("embedding", same.name, same.load_tokenizer)
    first, second, third = pool.uses("file")
    assert (first.weights, first.device, first.dtype) == ("tiny", "cpu", "fp32")
    assert first.measured_mb is not None
    assert first.predicted_mb is not None
    assert second.key != first.key
    assert third.key == "tokenizer:embedding:bert-base-uncased"


def test_sixteen_threads_load_four_transformers(pool: ResourcePool) -> None:
    checkpoints = [
        Checkpoint(name, "AutoModel", "bert", weights="tiny")
        for name in (
            "bert-base-uncased",
            "bert-base-cased",
            "bert-large-cased",
            "bert-large-uncased",
        )
    ]
    with ThreadPoolExecutor(16) as threads:
        futures = [
            threads.submit(pool.get_model, "embedding", c.name, c.load_model)
            for c in checkpoints * 4
        ]
        models = [future.result(LIMIT) for future in futures]
    assert len({id(model) for model in models}) == 4
    assert pool.get_stats()["misses"] == 4
    assert all(p.device.type == "cpu" for model in models for p in model.parameters())


def test_a_plain_load_does_not_wait_for_transformers(pool: ResourcePool) -> None:
    started, go = threading.Event(), threading.Event()

    def slow() -> nn.Module:
        started.set()
        assert go.wait(LIMIT)
        return tiny_bert()

    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(pool.get_model, "embedding", "slow", slow)
        assert started.wait(LIMIT)
        assert pool.get_model("embedding", "plain", lambda: nn.Linear(2, 2)) is not None
        go.set()
        assert future.result(LIMIT) is not None


def test_who_passes_the_gate() -> None:
    def imports_it() -> object:
        from transformers import AutoTokenizer

        return AutoTokenizer

    checkpoint = Checkpoint("bert-base-uncased", weights="tiny")
    assert needs_gate(tiny_bert)
    assert needs_gate(lambda: tiny_bert())
    assert needs_gate(imports_it)
    assert needs_gate(checkpoint.load_model)
    assert needs_gate(GPT2LMHeadModel)
    assert not needs_gate(lambda: nn.Linear(2, 2))
    assert not needs_gate(nn.Identity)


def test_giving_back_is_harmless_without_a_device() -> None:
    kept = torch.arange(1000)
    for backend in ("cuda", "xpu", "mps", "cpu", "nonsense"):
        empty_backend_cache(backend)
    trim_host()
    assert kept.sum() == 499_500
    assert not torch.cuda.is_initialized(), "no device is woken to be emptied"


def test_gradient_mode_goes_along(pool: ResourcePool) -> None:
    model = nn.Linear(2, 2)
    with torch.no_grad():
        (out,) = pool.execute_concurrent([(model, (torch.ones(2),))])
    assert not out.requires_grad
    (out,) = pool.execute_concurrent([(model, (torch.ones(2),))])
    assert out.requires_grad


LIMITED = """
import resource, weakref, torch
from torch import nn
from rpgen.errors import DoesNotFitError
from rpgen.pool.pool import ResourcePool

MB = 2**20
torch.set_num_threads(1)
nn.Linear(8, 8)(torch.ones(8))
pool = ResourcePool()
def model(mb):
    def make():
        return nn.Linear(mb * MB // 4 // 256, 256, bias=False)
    return make
idle = pool.get_model("e", "idle", model(150))
with open("/proc/self/statm") as stream:
    now = int(stream.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 100 * MB, resource.RLIM_INFINITY))
watched = weakref.ref(idle)
del idle
with pool.lease("e", "big", model(180)) as big:
    print("loaded after", "freed" if watched() is None else "kept")
    try:
        pool.get_model("e", "huge", model(900))
    except DoesNotFitError as error:
        print("refused:", error)
    assert big(torch.ones(180 * MB // 4 // 256)).shape == (256,)
print("alive")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS and /proc")
def test_running_out_for_real_evicts_and_then_fails_and_never_dies() -> None:
    code = textwrap.dedent(LIMITED)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "loaded after freed"
    assert lines[1].startswith("refused: The model could be loaded on no device (cpu: ")
    assert "e:big 180 MB on cpu in use" in lines[1]
    assert lines[2] == "alive"


def test_a_generating_models_cache_is_reckoned_from_its_configuration(pool: ResourcePool) -> None:
    checkpoint = Checkpoint("gpt2", "AutoModelForCausalLM", "gpt2", weights="tiny")
    config = checkpoint._tiny_config()
    shape = checkpoint.cache_shape()
    assert shape is not None
    assert (shape.layers, shape.kv_heads) == (config.n_layer, config.n_head)
    assert shape.head_size * config.n_head == config.n_embd
    full = Checkpoint("gpt2", "AutoModelForCausalLM", "gpt2", weights="random").cache_shape()
    assert full is not None
    assert full.head_size == 64
    with pool.owner("file"):
        pool.get_model("text_generation", "gpt2", checkpoint.load_model)
        (use,) = pool.uses("file")
    without = Needs(Family.TEXT_GENERATION, figures=checkpoint.estimate())
    cpu = Device(Backend.CPU, 0, "CPU", "cpu")
    alone = without.estimate("fp32", cpu)
    assert alone is not None
    assert use.predicted_mb is not None
    assert use.predicted_mb > alone.peak_mb
    assert use.estimate_source == "the configuration on the meta device"


def test_models_of_one_checkpoint_have_a_configuration_each(pool: ResourcePool) -> None:
    checkpoint = Checkpoint("bert-base-uncased", "AutoModel", "bert", weights="tiny")
    own = pool.get_model("embedding", "bert", checkpoint.load_model)
    half = pool.get_model("embedding", "bert", checkpoint.load_model, {"precision": "bf16"})
    assert own is not half
    own.config.layer_norm_eps = 1.0
    assert half.config.layer_norm_eps < 1
    assert checkpoint.load_model().config.layer_norm_eps < 1
