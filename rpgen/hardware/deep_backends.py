"""Proof by computing, for backends: a child process prepares a small product on each target.

As with torch's devices (`deep`), a target that hangs or crashes costs its own answer: a fresh
child goes on with the rest. The child is `rpgen.backends.proof`, which asks each backend itself.
"""

import tempfile
from collections.abc import Callable, Sequence

from rpgen.hardware.backend_proofs import TargetProof
from rpgen.hardware.deep import TIMEOUT, child_process, how_it_died, lines_of
from rpgen.hardware.surroundings import Surroundings

_REMEDY = "see what its log or its driver says, then reinstall it"

Command = Callable[[Sequence[str]], Sequence[str]]
"""From the targets to try to the command of a child."""


def child_command(here: Surroundings) -> Command:
    return lambda targets: [here.python, "-P", "-m", "rpgen.backends.proof", *targets]


def prove_backends(
    here: Surroundings,
    targets: Sequence[str],
    *,
    command: Command | None = None,
    timeout: float = TIMEOUT,
) -> tuple[TargetProof, ...]:
    """Compute on each of these targets; no child is started for none."""
    command = command or child_command(here)
    proofs: dict[str, TargetProof] = {}
    while left := [target for target in targets if target not in proofs]:
        failure = _one_child(command(left), timeout, proofs)
        culprit = next((target for target in left if target not in proofs), None)
        if culprit is not None:
            proofs[culprit] = TargetProof(culprit, False, failure, _REMEDY)
    return tuple(proofs[target] for target in targets)


def _one_child(command: Sequence[str], timeout: float, proofs: dict[str, TargetProof]) -> str:
    """Follow one child, which tries its targets in order; why it got no further."""
    with tempfile.TemporaryFile() as errors, child_process(command, errors) as process:
        for line in lines_of(process, timeout):
            if line is None:
                return f"it gave no answer in {timeout:g} s"
            proof = TargetProof(
                line["target"], line["ok"], line["detail"], line["remedy"], line["software"]
            )
            proofs[proof.target] = proof
        return how_it_died(process.wait(), errors)
