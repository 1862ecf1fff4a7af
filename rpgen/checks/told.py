"""What the checks have to tell the reports beside passing and failing.

The level at which a file's checks ran, a batch that was halved, a baseline that was written.
Whoever runs test files resets this when one begins and reads it when one ends.
"""

from dataclasses import dataclass, field


@dataclass
class Told:
    """Of one test file. `remarks` are whole sentences, each once."""

    level: str | None = None
    reason: str | None = None
    remarks: list[str] = field(default_factory=list)

    def remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def reset(self) -> None:
        self.level = self.reason = None
        self.remarks.clear()


TOLD = Told()
