"""The surface that the guide promises, row by row."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rpgen.errors import OutputError, UsageError
from rpgen.pool.pool import ResourcePool


class Thing:
    """Something that can be told apart and watched."""


STATS = {
    "hits", "misses", "total_requests", "hit_ratio", "memory_usage", "memory_usage_mb",
    "cached_resources", "cached_models", "cached_tokenizers", "timestamp", "low_memory_mode",
    "models", "devices", "mapped_bytes", "cleanups", "evictions", "load_seconds", "loads_avoided",
    "system_memory", "cpu", "cuda_memory", "hardware", "component_status",
}  # fmt: skip
MODEL_STATS = {
    "memory_usage", "memory_usage_mb", "memory_estimation_method", "device", "dtype", "hits",
    "age_seconds", "idle_seconds", "in_use",
}  # fmt: skip


def test_a_resource_is_made_once(pool: ResourcePool) -> None:
    first = pool.get_resource("json", constructor=lambda: __import__("json"))
    assert first is json
    assert pool.get_resource("json") is json
    assert pool.get_resource("json", constructor=lambda: pytest.fail("made again")) is json


def test_none_only_without_entry_and_constructor(pool: ResourcePool) -> None:
    assert pool.get_resource("x") is None
    assert pool.get_resource("x", "y") is None
    assert pool.get_model("embedding", "bert") is None
    assert pool.get_tokenizer("embedding", "bert") is None
    assert pool.get_resource("none", constructor=lambda: None) is None
    assert pool.get_stats()["cached_resources"] == 1  # that one is there: its value is None


def test_resources_by_id(pool: ResourcePool) -> None:
    one = pool.get_resource("data", "1", Thing)
    two = pool.get_resource("data", "2", Thing)
    assert one is not two
    assert set(pool.resources) == {"data:1", "data:2"}


def test_keys_that_read_alike_are_not_mixed_up(pool: ResourcePool) -> None:
    things = [
        pool.get_resource("a:b", None, Thing),
        pool.get_resource("a", "b", Thing),
        pool.get_model("a", "b", Thing),
        pool.get_tokenizer("a", "b", Thing),
        pool.get_resource("tokenizer:a", "b", Thing),
    ]
    assert len({id(thing) for thing in things}) == 5
    keys = [*pool.resources, *pool.models, *pool.tokenizers]
    assert len(set(keys)) == 5
    assert pool.get_resource("a", "b") is things[1]
    assert pool.get_model("a", "b") is things[2]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "ä/ü", "x" * 500, "{}", "'; --"])
def test_odd_names(pool: ResourcePool, name: str) -> None:
    assert pool.get_model(name, name, Thing) is pool.get_model(name, name, Thing)
    assert pool.get_resource(name, name, Thing) is pool.get_resource(name, name)
    assert pool.get_resource_details(f"{name}:{name}") is not None


def test_a_model_is_made_once_for_each_device(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0, "cuda:1": 8000.0})
    pool, source = world.pool(), make_source(world, "bert")
    auto = pool.get_model("embedding", "bert", source.load_model)
    cpu = pool.get_model("embedding", "bert", source.load_model, {"device": "cpu"})
    assert cpu is not auto
    assert (auto.device, cpu.device) == ("cuda:0", "cpu")
    assert pool.get_model("embedding", "bert", source.load_model) is auto
    assert pool.get_model("embedding", "bert", source.load_model, {"device": "cuda:0"}) is auto
    assert pool.get_model("embedding", "bert", source.load_model, {"device": "cpu"}) is cpu
    half = pool.get_model("embedding", "bert", source.load_model, {"precision": "fp16"})
    assert (half.device, half.dtype) == ("cuda:0", "fp16")
    assert set(pool.models) == {
        "embedding:bert",
        "embedding:bert@cpu,fp32,auto_class=AutoModel",
        "embedding:bert@cuda:0,fp16,auto_class=AutoModel",
    }
    assert len(source.loads) == 3


def test_auto_stays_where_it_went_while_memory_changes(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 200.0})
    pool, source = world.pool(), make_source(world, "bert", mb=100.0)
    first = pool.get_model("embedding", "bert", source.load_model)
    assert first.device == "cuda:0"
    assert world.free("cuda:0") < 110
    assert pool.get_model("embedding", "bert", source.load_model) is first
    assert pool.get_model("embedding", "bert", source.load_model, {"device": "auto"}) is first
    assert len(source.loads) == 1


def test_options_of_a_source_are_part_of_the_identity(world: Any, make_source: Any) -> None:
    pool = world.pool()
    plain = make_source(world, "bert")
    head = make_source(world, "bert", options={"auto_class": "AutoModelForMaskedLM"})
    again = make_source(world, "bert", options={"auto_class": "AutoModelForMaskedLM"})
    one = pool.get_model("embedding", "bert", plain.load_model)
    two = pool.get_model("embedding", "bert", head.load_model)
    assert one is not two
    assert pool.get_model("embedding", "bert", again.load_model) is two
    assert again.loads == []
    assert pool.get_model("embedding", "bert") in (one, two)


def test_tokenizer_and_processor_of_one_source_are_two_things(world: Any, make_source: Any) -> None:
    pool, source = world.pool(), make_source(world, "clip")
    tokenizer = pool.get_tokenizer("multimodal", "clip", source.load_tokenizer)
    processor = pool.get_tokenizer("multimodal", "clip", source.load_processor)
    assert type(tokenizer) is not type(processor)
    assert pool.get_tokenizer("multimodal", "clip", source.load_tokenizer) is tokenizer
    assert "tokenizer:multimodal:clip" in pool.tokenizers


def test_a_constructors_error_is_the_callers(pool: ResourcePool) -> None:
    class OddError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(one, two)

    error = OddError(1, 2)

    def fails() -> None:
        raise error

    for get in (pool.get_model, pool.get_tokenizer, pool.get_resource):
        with pytest.raises(OddError) as caught:
            get("embedding", "bert", fails)
        assert caught.value is error
        assert get("embedding", "bert") is None
        assert get("embedding", "bert", Thing) is not None  # it is not remembered


def test_cleanup_takes_what_is_idle_and_older(pool: ResourcePool, world: Any) -> None:
    pool.get_model("a", "old", Thing)
    world.now += 60 * 20
    pool.get_model("a", "young", Thing)
    pool.get_resource("r", constructor=Thing)
    world.now += 60 * 15
    assert pool.cleanup_unused_resources() == 1
    assert set(pool.models) == {"a:young"}
    assert pool.cleanup_unused_resources(max_age_minutes=0.5) == 2
    assert pool.cleanup_unused_resources(0) == 0
    cleanups = pool.get_stats()["cleanups"]
    assert cleanups["runs"] == 3
    assert cleanups["removed"] == 3


def test_what_is_used_for_long_is_idle_from_its_release_on(pool: ResourcePool, world: Any) -> None:
    with pool.owner("a long file"):
        pool.get_tokenizer("embedding", "bert", Thing)
        world.now += 3600
    assert pool.cleanup_unused_resources(max_age_minutes=0.5) == 0
    world.now += 31
    assert pool.cleanup_unused_resources(max_age_minutes=0.5) == 1


def test_a_hit_makes_young_again(pool: ResourcePool, world: Any) -> None:
    pool.get_model("a", "b", Thing)
    world.now += 60 * 29
    pool.get_model("a", "b", Thing)
    world.now += 60 * 29
    assert pool.cleanup_unused_resources() == 0


def test_large_ones_get_half_the_time_under_pressure(world: Any, make_source: Any) -> None:
    pool = world.pool()
    pool.get_model("a", "large", make_source(world, "large", mb=600.0).load_model)
    pool.get_model("a", "small", make_source(world, "small", mb=60.0).load_model)
    world.now += 60 * 16
    assert pool.cleanup_unused_resources() == 0
    world.taken["cpu"] = 0.85 * world.host_mb
    assert pool.check_memory_pressure()
    assert pool.cleanup_unused_resources(30) == 1
    assert set(pool.models) == {"a:small"}


def test_stats_have_every_key(pool: ResourcePool, world: Any) -> None:
    pool.get_model("a", "b", Thing)
    pool.get_model("a", "b", Thing)
    world.now += 7
    stats = pool.get_stats()
    assert set(stats) == STATS
    assert (stats["hits"], stats["misses"], stats["total_requests"]) == (1, 1, 2)
    assert stats["hit_ratio"] == 0.5
    assert stats["loads_avoided"] == 1
    one = stats["models"]["a:b"]
    assert set(one) == MODEL_STATS
    assert (one["hits"], one["age_seconds"], one["idle_seconds"]) == (1, 7, 7)
    assert set(stats["cleanups"]) == {"runs", "removed", "freed_mb"}
    assert set(stats["system_memory"]) == {
        "total_mb", "available_mb", "percent_used", "under_pressure", "limit_source",
    }  # fmt: skip
    assert set(stats["cpu"]) == {"percent", "cores"}
    assert set(stats["hardware"]) == {"mps", "openvino", "onnxruntime", "webnn", "webgpu"}
    assert stats["cuda_memory"] == {}
    json.dumps(stats)
    empty = ResourcePool().get_stats()
    assert empty["hit_ratio"] == 0.0


def test_summary_is_the_short_one(pool: ResourcePool) -> None:
    pool.get_model("a", "b", Thing)
    assert set(pool.summary()) == {
        "hits", "misses", "memory_usage_mb", "cached_models", "low_memory_mode", "system_memory",
    }  # fmt: skip
    assert set(pool.summary()["system_memory"]) == {"available_mb", "percent_used"}


def test_views_are_read_only(pool: ResourcePool) -> None:
    model = pool.get_model("a", "b", Thing)
    assert pool.models["a:b"] is model
    assert dict(pool.models) == {"a:b": model}
    with pytest.raises(TypeError):
        pool.models["a:b"] = 1  # type: ignore[index]
    with pytest.raises(KeyError):
        pool.resources["a:b"]
    assert set(pool._stats["a:b"]) == MODEL_STATS
    assert "a:b" in pool._stats
    assert "nothing" not in pool._stats


def test_views_can_be_walked_while_the_pool_changes(pool: ResourcePool) -> None:
    for number in range(5):
        pool.get_model("a", str(number), Thing)
    for key in pool.models:
        pool.clear()
        assert key.startswith("a:")


def test_details_and_explanation(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    pool = world.pool()
    pool.get_model("embedding", "bert", make_source(world, "bert").load_model)
    found = pool.get_resource_details("embedding:bert")
    assert found is not None
    assert (found["weights"], found["device"], found["options"]) == (
        "tiny",
        "cuda:0",
        {"auto_class": "AutoModel"},
    )
    assert found["predicted_mb"] > 100
    json.dumps(found)
    text = pool.explain("embedding:bert")
    assert text is not None
    assert "safetensors headers" in text
    assert "would also do: cpu" in text
    assert pool.get_resource_details("nothing") is None
    assert pool.explain("nothing") is None


def test_the_log_says_where_a_model_went(
    pool: ResourcePool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "rpgen.pool"):
        pool.get_model("embedding", "bert-base-uncased", Thing)
        pool.get_model("embedding", "bert-base-uncased", Thing)
    said = [r.getMessage() for r in caplog.records if "optimal device" in r.getMessage()]
    assert said == ["Selected optimal device for embedding:bert-base-uncased: cpu"]


def test_moving(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0, "cuda:1": 8000.0})
    pool, source = world.pool(), make_source(world, "bert")
    model = pool.get_model("embedding", "bert", source.load_model)
    explicit = pool.get_model("embedding", "bert", source.load_model, {"device": "cuda:0"})
    assert explicit is model
    assert pool.move_model_to_device("embedding", "bert", "cpu")
    assert model.device == "cpu"
    assert pool._stats["embedding:bert"]["device"] == "cpu"
    assert set(pool.get_stats()["devices"]) == {"cpu"}
    assert pool.get_model("embedding", "bert", source.load_model) is model
    assert pool.get_model("embedding", "bert", source.load_model, {"device": "cpu"}) is model
    other = pool.get_model("embedding", "bert", source.load_model, {"device": "cuda:0"})
    assert other is not model
    assert not pool.move_model_to_device("embedding", "nothing", "cpu")
    with pytest.raises(UsageError):
        pool.move_model_to_device("embedding", "bert", "banana")


def test_recommended_device(make_world: Any) -> None:
    pool = make_world(gpus={"mps": 16_000.0}, unified=True).pool()
    assert pool.get_recommended_device("embedding") == "mps"
    assert pool.get_recommended_device("multimodal") == "cpu"
    assert pool.get_recommended_device("anything", "multimodal") == "cpu"
    assert pool.get_recommended_device("llama") == "cpu"


def test_low_memory_by_environment(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not world.pool().low_memory_mode
    monkeypatch.setenv("RESOURCE_POOL_LOW_MEMORY", "1")
    assert world.pool().low_memory_mode
    monkeypatch.setenv("RESOURCE_POOL_LOW_MEMORY", "0")
    assert not world.pool().low_memory_mode


def test_low_memory_is_detected(make_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    pool = make_world(host_mb=3200.5).pool()
    assert pool.low_memory_mode
    assert "Low memory detected (3200.5 MB). Enabling low memory mode." in caplog.text
    assert pool.available_memory_mb == 3200.5


def test_low_memory_cleans_up_after_ten_minutes(pool: ResourcePool, world: Any) -> None:
    pool.enable_low_memory_mode()
    pool.get_model("a", "b", Thing)
    world.now += 60 * 11
    assert pool.cleanup_unused_resources(30) == 1


def test_low_memory_keeps_few_idle_models(pool: ResourcePool, world: Any) -> None:
    for number in range(4):
        world.now += 1
        pool.get_model("a", str(number), Thing)
    pool.enable_low_memory_mode()
    assert set(pool.models) == {"a:2", "a:3"}
    for number in (4, 5):  # two idle ones are kept beside the one that is handed out
        world.now += 1
        pool.get_model("a", str(number), Thing)
    assert set(pool.models) == {"a:3", "a:4", "a:5"}


def test_low_memory_mode_ends_with_a_word(
    pool: ResourcePool, caplog: pytest.LogCaptureFixture
) -> None:
    pool.enable_low_memory_mode()
    with caplog.at_level(logging.INFO, "rpgen.pool"):
        pool.disable_low_memory_mode()
    assert not pool.low_memory_mode
    assert "Low memory mode is off" in caplog.text


def test_large_models_leave_the_device_after_use(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    pool, source = world.pool(), make_source(world, "big", mb=700.0)
    pool.enable_low_memory_mode()
    with pool.lease("embedding", "big", source.load_model) as model:
        assert model.device == "cuda:0"
    assert model.device == "cpu"
    details = pool.get_resource_details("embedding:big")
    assert details is not None
    assert details["parked_from"] == "cuda:0"
    with pool.owner("file"):
        assert pool.get_model("embedding", "big", source.load_model) is model
        assert model.device == "cuda:0"
    assert model.device == "cpu"
    assert len(source.loads) == 1


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("CUDA out of memory. Tried to allocate 2 GiB", "memory"),
        ("MPS: operation not currently supported", "platform"),
        ("aten::foo is not implemented for 'MPS'", "platform"),
        ("401 Client Error: gated repo", "gated"),
        ("a riddle", "rpgen run"),
    ],
)
def test_error_reports(pool: ResourcePool, message: str, word: str, tmp_path: Path) -> None:
    report = pool.generate_error_report("bert", "mps", message, "Traceback")
    assert set(report) == {
        "timestamp", "model_name", "model_family", "subfamily", "hardware_type",
        "error_message", "stack_trace", "recommendations", "alternatives",
    }  # fmt: skip
    assert any(word in line for line in report["recommendations"])
    assert "mps" not in report["alternatives"]
    first = pool.save_error_report(report, tmp_path / "reports")
    second = pool.save_error_report(report, str(tmp_path / "reports"))
    assert first != second
    assert json.loads(first.read_text("utf-8")) == report


def test_report_of_a_model_with_an_evil_name(pool: ResourcePool, tmp_path: Path) -> None:
    report = pool.generate_error_report("../../etc/passwd\n\x00", "cuda:0", "boom")
    path = pool.save_error_report(report, tmp_path)
    assert path.parent == tmp_path
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        pool.save_error_report(report, tmp_path / "file")


def test_execute_concurrent(pool: ResourcePool) -> None:
    def fails(_: object) -> None:
        raise ValueError("no")

    found = pool.execute_concurrent(
        [
            (lambda a, b: a - b, (5, 3)),
            (lambda *, a, b: a * b, {"a": 2, "b": 4}),
            (fails, 1),
            (lambda x: x, "text"),
        ]
    )
    assert found == [2, 8, {"success": False, "error": "no", "error_type": "ValueError"}, "text"]
    assert pool.execute_concurrent([]) == []


def test_hostile_environment_is_a_warning(
    pool: ResourcePool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_HARDWARE_PREFERENCES", "__import__('os').system('touch HACKED')")
    for _ in range(3):
        assert pool.get_model("a", "b", Thing, {"device": "cpu"}) is not None
        pool.clear()
    assert caplog.text.count("TEST_HARDWARE_PREFERENCES is left out") == 1
    assert not list(tmp_path.iterdir())


def test_the_environment_decides_the_device(
    make_world: Any, make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    pool, source = world.pool(), make_source(world, "bert")
    first = pool.get_model("embedding", "bert", source.load_model, {"device": "cuda"})
    monkeypatch.setenv("TEST_HARDWARE_PREFERENCES", str({"device": "cpu"}))
    second = pool.get_model("embedding", "bert", source.load_model, {"device": "cuda"})
    assert (first.device, second.device) == ("cuda:0", "cpu")
    monkeypatch.delenv("TEST_HARDWARE_PREFERENCES")
    assert pool.get_model("embedding", "bert", source.load_model, {"device": "cuda"}) is first


def test_a_callers_nonsense_is_an_error(pool: ResourcePool) -> None:
    with pytest.raises(UsageError, match="banana"):
        pool.get_model("a", "b", Thing, {"device": "banana"})


def test_the_shared_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    import rpgen
    from rpgen import resource_pool
    from rpgen.pool import shared

    monkeypatch.setattr(shared, "_pool", None)
    found = rpgen.get_global_resource_pool()
    assert found is resource_pool.get_global_resource_pool() is resource_pool.global_resource_pool
    assert isinstance(found, resource_pool.ResourcePool)
    monkeypatch.setenv("RESOURCE_POOL_LOW_MEMORY", "1")
    assert rpgen.get_global_resource_pool().low_memory_mode
    with pytest.raises(AttributeError):
        resource_pool.nothing  # noqa: B018


@pytest.mark.processes
def test_plain_resources_need_no_torch() -> None:
    code = (
        "import sys; from rpgen.resource_pool import get_global_resource_pool as g; p = g(); "
        "p.get_resource('json', constructor=lambda: __import__('json')); p.get_stats(); "
        "p.cleanup_unused_resources(0); p.clear(); "
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
