"""The table of `rpgen detect`, as a person sees it in a narrow and in a wide terminal."""

import io

import pytest
from rich.console import Console

from rpgen.cli.hardware_table import print_hardware
from rpgen.hardware.detector import detect
from rpgen.hardware.pci import NVIDIA
from rpgen.hardware.types import Backend

SMI = "0, NVIDIA H200, 143771, 580.82.07, 9.0, GPU-1\n"


@pytest.fixture
def unusable_gpu(machine):
    machine.pci(NVIDIA, 0x2335, kind=0x0302)
    machine.programs["nvidia-smi"] = SMI
    machine.torch("2.13.0+cpu")
    return detect(here=machine.here)


def shown(snapshot, width, **options):
    stream = io.StringIO()
    print_hardware(snapshot, console=Console(file=stream, width=width), **options)
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_it_fits_and_says_everything(unusable_gpu, width):
    said = shown(unusable_gpu, width)
    assert max(len(line) for line in said.splitlines()) <= width
    flat = " ".join(said.split())
    for backend in Backend:
        assert backend in flat
    assert "unusable" in flat
    assert "torch 2.13.0+cpu is built for CPU" in flat
    assert "install a CUDA build of torch" in flat
    assert "\x1b" not in said, "no colour codes without a terminal"


def test_what_can_be_used_comes_first_and_what_is_absent_last(unusable_gpu):
    rows = [line.split()[:2] for line in shown(unusable_gpu, 140).splitlines()]
    states = [row[1] for row in rows if len(row) == 2 and row[0] in list(Backend)]
    assert states[:2] == ["available", "unusable"]
    assert set(states[2:]) == {"absent"}


def test_evidence_is_shown_on_demand(unusable_gpu):
    assert "driver 580.82.07" not in shown(unusable_gpu, 140)
    assert "driver 580.82.07" in shown(unusable_gpu, 140, with_evidence=True)


def test_a_gpu_that_works(machine):
    machine.pci(NVIDIA, 0x2335, kind=0x0302)
    machine.programs["nvidia-smi"] = SMI
    machine.torch("2.13.0+cu130", cuda="13.0")
    said = " ".join(shown(detect(here=machine.here), 140).split())
    assert "cuda:0: NVIDIA H200, 143,771 MB, compute capability 9.0, fp32/fp16/bf16" in said


def test_odd_names_are_shown_not_interpreted(machine):
    machine.programs["nvidia-smi"] = "0, [bold]GPU[/bold], 1, 580.1, 9.0, GPU-1\n"
    machine.torch("2.13.0+cu130", cuda="13.0")
    assert "[bold]GPU[/bold]" in shown(detect(here=machine.here), 140)
