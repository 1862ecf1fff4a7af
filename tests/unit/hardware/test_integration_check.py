import json

import pytest

from rpgen.cli import integration_check
from rpgen.errors import ModelUnavailableError


def says_fine():
    return "all is well"


def fails():
    raise integration_check.StepError("a part is missing")


def is_refused():
    raise ModelUnavailableError("no such model")


def breaks():
    raise KeyError("summary")


@pytest.fixture
def steps(monkeypatch):
    def become(**chosen):
        monkeypatch.setattr(integration_check, "STEPS", chosen)

    return become


def test_every_step_runs_whatever_became_of_the_others(steps, capsys):
    steps(first=fails, second=is_refused, third=breaks, fourth=says_fine)
    assert integration_check.check_and_print(as_json=False, debug=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAILED first: a part is missing")
    assert lines[1].startswith("FAILED second: no such model")
    assert lines[2].startswith("FAILED third: KeyError")
    assert lines[3].startswith("ok     fourth: all is well")
    assert lines[4] == "3 of 4 failed"


def test_json(steps, capsys):
    steps(first=says_fine)
    assert integration_check.check_and_print(as_json=True, debug=False) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert document["steps"][0]["step"] == "first"


def test_a_missing_template_is_named(monkeypatch, tmp_path):
    from rpgen import paths

    monkeypatch.setattr(paths, "templates_folder", lambda: tmp_path)
    with pytest.raises(integration_check.StepError, match=r"hf_embedding_template\.py"):
        integration_check.parts_present()
