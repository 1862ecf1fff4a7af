"""What the checks have to tell the reports beside passing and failing.

The level at which a file's checks ran, a batch that was halved, a baseline that was written.
Whoever runs test files resets this when one begins and reads it when one ends.
"""

from dataclasses import dataclass, field


@dataclass
class Told:
    """Of one test file. `remarks` are whole sentences, each once.

    `difference` is the largest between a device and torch on the CPU, relative to the spread of
    the result there; `difference_in` the output it is in, None where nothing was compared.
    """

    level: str | None = None
    reason: str | None = None
    remarks: list[str] = field(default_factory=list)
    difference: float | None = None
    difference_in: str | None = None

    def remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def differs(self, relative: float, output: str) -> None:
        if self.difference is None or relative > self.difference:
            self.difference, self.difference_in = relative, output

    def reset(self) -> None:
        self.level = self.reason = self.difference = self.difference_in = None
        self.remarks.clear()


TOLD = Told()
