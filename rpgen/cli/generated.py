"""What `rpgen generate` says of the files it made."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rpgen.cli.console import fail, one_line
from rpgen.errors import ExitCode
from rpgen.generate.generate import Outcome
from rpgen.generate.write import Action

STALE = (Action.CREATED, Action.UPDATED, Action.REPLACED)
_WOULD = {action: f"would {action.removesuffix('d')}" for action in STALE}


def exit_code(outcomes: Sequence[Outcome], *, check: bool) -> int:
    """The first error's code; else, with --check, 1 where a file is missing or out of date."""
    for outcome in outcomes:
        if outcome.exit_code is not ExitCode.OK:
            return outcome.exit_code
    stale = check and any(outcome.action in STALE for outcome in outcomes)
    return ExitCode.FAILED if stale else ExitCode.OK


def print_lines(outcomes: Sequence[Outcome], *, planned: bool) -> None:
    """A line a file, errors on stderr, and a count where there are several."""
    for outcome in outcomes:
        if outcome.action is None:
            fail(f"{outcome.model!r:.120}: {outcome.reason}")
        else:
            print(one_line(_line(outcome, planned)))
    if len(outcomes) > 1:
        counts = Counter(str(outcome.action or "failed") for outcome in outcomes)
        print(f"{len(outcomes)} models: " + ", ".join(f"{n} {what}" for what, n in counts.items()))


def print_json(outcomes: Sequence[Outcome], *, check: bool) -> None:
    """One JSON object on stdout, for programs."""
    files = [_as_dict(outcome) for outcome in outcomes if outcome.action is not None]
    errors = [
        {"model": outcome.model, "error": outcome.reason, "exit_code": int(outcome.exit_code)}
        for outcome in outcomes
        if outcome.exit_code is not ExitCode.OK
    ]
    code = exit_code(outcomes, check=check)
    document = {"schema": 1, "exit_code": int(code), "files": files, "errors": errors}
    print(json.dumps(document, indent=2, ensure_ascii=False))


def _line(outcome: Outcome, planned: bool) -> str:
    action = _WOULD.get(outcome.action) if planned and outcome.action else None
    answer = outcome.classification
    known = ""
    if answer is not None and outcome.plan is not None:
        kind = "/".join(str(p) for p in (outcome.plan.family, outcome.plan.subfamily) if p)
        known = f"  {kind} ({answer.confidence:.2f}, from {answer.source})"
    kept = f": {outcome.reason}" if outcome.action is Action.KEPT else ""
    if kept and outcome.exit_code is ExitCode.OK:
        kept += "; --force overwrites it"
    return f"{action or outcome.action} {outcome.path}{kept}{known}"


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    plan, answer = outcome.plan, outcome.classification
    assert plan is not None
    assert answer is not None
    return {
        "model": outcome.model,
        "path": str(outcome.path),
        "action": outcome.action,
        "reason": outcome.reason,
        "family": plan.family,
        "subfamily": plan.subfamily,
        "confidence": answer.confidence,
        "source": answer.source,
        "template": plan.template,
        "model_type": answer.model_type,
        "auto_class": plan.auto_class,
        "hardware_preferences": dict(plan.preferences),
    }
