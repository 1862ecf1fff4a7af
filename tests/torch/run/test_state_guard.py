"""What a file does to shared models and torch's switches doesn't reach the next file."""

from tests.system.run.conftest import Project

FILE = """
import torch

from rpgen import get_global_resource_pool
from rpgen.models import Checkpoint

CHECKPOINT = Checkpoint("bert-base-uncased", model_type="bert", weights="tiny")


def model():
    pool = get_global_resource_pool()
    return pool.get_model("embedding", CHECKPOINT.name, constructor=CHECKPOINT.load_model)


def test_as_loaded():
    made = model()
    assert not made.training and all(p.requires_grad for p in made.parameters())
    assert torch.get_default_dtype() is torch.float32
    assert float(made.embeddings.word_embeddings.weight.std()) < 1


def test_does_something():
    made = model()
    {act}
"""


def test_the_culprit_is_named_and_the_next_file_gets_the_model_as_loaded(project: Project) -> None:
    project.write(
        a=FILE.format(act="made.train(); made.requires_grad_(False)"),
        b=FILE.format(act="torch.set_default_dtype(torch.float64)"),
        c=FILE.format(act="made.embeddings.word_embeddings.weight.data.mul_(1000)"),
        d=FILE.format(act="made.register_forward_hook(lambda *_: None)"),
        e=FILE.format(act="assert made(torch.tensor([[5, 6]])) is not None"),
    )
    ran = project.run(".")
    assert set(ran.outcomes.values()) == {"passed"}, ran.out + ran.err
    left = {name: "; ".join(file["left_behind"]) for name, file in ran.files.items()}
    assert "training mode of the model" in left["test_a.py"]
    assert "requires_grad of" in left["test_a.py"]
    assert "put back" in left["test_a.py"]
    assert "torch's default dtype: torch.float32 became torch.float64" in left["test_b.py"]
    assert "values written to embeddings.word_embeddings.weight" in left["test_c.py"]
    assert "loaded anew" in left["test_c.py"]
    assert "hooks on the model" in left["test_d.py"]
    assert left["test_e.py"] == ""
