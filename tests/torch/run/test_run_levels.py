"""`rpgen run --level`, and what the checks tell, from the option to the report."""

from tests.system.run.conftest import Project

NARROW = """
import unittest

import torch
from rpgen import checks


class Narrow(torch.nn.Linear):
    def forward(self, pixel_values):
        if len(pixel_values) > 2:
            raise torch.OutOfMemoryError("tried to allocate 2.00 GiB")
        return pixel_values


def processor(images, return_tensors):
    return {"pixel_values": torch.ones(len(images), 3, 2, 2)}


class TestNarrow(unittest.TestCase):
    def test_it(self):
        model = Narrow(2, 2)
        images = [*range(checks.scale_for(model).batch)]
        kept = checks.images_that_fit(model, processor, images)
        self.assertLessEqual(len(kept), 2)
"""


def test_the_level_and_a_halved_batch_are_in_the_report(project: Project) -> None:
    project.write(narrow=NARROW, plain="def test_it():\n    pass\n")
    ran = project.run(".", "--level", "thorough")
    assert ran.code == 0, ran.out + ran.err
    narrow, plain = ran.files["test_narrow.py"], ran.files["test_plain.py"]
    assert (narrow["level"], narrow["level_reason"]) == ("thorough", "asked for")
    assert (plain["level"], plain["remarks"]) == (None, [])
    assert [remark.partition(" (")[0] for remark in narrow["remarks"]] == [
        "a batch of 8 pictures did not fit on cpu: halved to 4",
        "a batch of 4 pictures did not fit on cpu: halved to 2",
    ]
    assert "halved to 2" in ran.out
    assert "checks at the thorough level" in ran.out
    assert project.run("test_narrow.py", "--level", "heroic").code == 2


def test_without_an_option_the_level_follows_the_memory(project: Project) -> None:
    project.write(narrow=NARROW)
    normal = project.run(".").files["test_narrow.py"]
    assert normal["level"] == "normal"
    assert normal["level_reason"].startswith("by memory: ")
    ran = project.run(".", "--memory-budget", "50MB")
    assert ran.files["test_narrow.py"]["level"] == "minimal"
    assert "checks at the minimal level, by memory: 50 MB are free" in ran.out
