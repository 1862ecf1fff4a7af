"""Several workers keep the models where they are loaded."""

import json
from collections import Counter, defaultdict

from rpgen.run.events import FileStarted, ModelLoaded
from rpgen.run.journal import read
from tests.system.run.conftest import Project
from tests.torch.run.test_run_with_models import source

MODELS = (("bert-base-uncased", "bert", "embedding"), ("gpt2", "gpt2", "text_generation"))


def test_each_model_is_loaded_by_one_worker(project: Project) -> None:
    for number in range(6):
        name, model_type, family = MODELS[number % 2]
        project.put(f"test_{number}.py", source(name, model_type, family))
    ran = project.run(".", "--workers", "2", "--order", "path")
    assert ran.code == 0, ran.out
    journal = list(read(ran.state / "journal.jsonl"))
    loads = [event for event in journal if isinstance(event, ModelLoaded)]
    assert Counter(load.key for load in loads) == {
        "embedding:bert-base-uncased": 1,
        "text_generation:gpt2": 1,
    }
    workers = defaultdict(set)
    for event in journal:
        if isinstance(event, FileStarted):
            workers[event.worker].add(int(event.path[5]) % 2)
    assert sorted(map(sorted, workers.values())) == [[0], [1]]


def test_a_plan_for_several_workers_is_what_they_do(project: Project) -> None:
    for number in range(6):
        name, model_type, family = MODELS[number % 2]
        project.put(f"test_{number}.py", source(name, model_type, family))
    arguments = (".", "--workers", "2", "--order", "path", "--plan")
    plan = json.loads(project.run(*arguments, "--json", "-").out)
    assert (plan["workers"], plan["loads"], plan["evictions"]) == (2, 2, 0)
    by_worker = defaultdict(set)
    for step in plan["steps"]:
        by_worker[step["worker"]].add(int(step["path"][5]) % 2)
    assert by_worker == {0: {0}, 1: {1}}
    shown = project.run(*arguments).out
    assert "2 workers: who takes which file depends on how long the files take" in shown
    refused = project.run(".", "--engine", "ray", "--plan")
    assert (refused.code, "what a cluster has" in refused.err) == (2, True)
