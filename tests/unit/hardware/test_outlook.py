from rpgen.families import Classification, Family, Subfamily
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
)
from rpgen.placement.outlook import outlook


def snapshot(*available: Backend) -> HardwareSnapshot:
    def report(backend: Backend) -> BackendReport:
        name = f"{backend}:0" if backend is Backend.CUDA else str(backend)
        torch_device = name if backend in (Backend.CUDA, Backend.MPS, Backend.CPU) else None
        return BackendReport(
            backend, State.AVAILABLE, devices=(Device(backend, 0, "x", torch_device),)
        )

    host = HostIdentity("here", "Linux", "x86_64")
    return HardwareSnapshot(host, {b: report(b) for b in (Backend.CPU, *available)}, 2, 1024.0)


def bert() -> Classification:
    return Classification(
        "bert-base-uncased",
        Family.EMBEDDING,
        Subfamily.MASKED_LM,
        0.75,
        0.75,
        "config",
        model_type="bert",
    )


def test_the_guides_block():
    found = outlook(bert(), snapshot(Backend.CUDA, Backend.OPENVINO))
    assert found.lines() == [
        "Model: bert-base-uncased",
        "  Family: embedding (confidence: 0.75)",
        "  Optimal Hardware: cuda",
        "  PyTorch Device: cuda:0",
        "  Hardware Priority: cuda > rocm > mps > xpu > cpu",
        "  Recommended Template: hf_embedding_template.py",
        "  Hardware Compatibility:",
        "    cuda: ✅ (System: ✅, Effective: ✅)",
        "    rocm: ✅ (System: ❌, Effective: ❌)",
        "    mps: ✅ (System: ❌, Effective: ❌)",
        "    openvino: ✅ (System: ✅, Effective: ✅)",
        "    webnn: ✅ (System: ❌, Effective: ❌)",
        "    webgpu: ✅ (System: ❌, Effective: ❌)",
    ]


def test_what_the_tables_rule_out_is_no_device_for_it():
    family = Family.TEXT_GENERATION
    llama = Classification("llama-7b", family, None, 0.9, 0, "name", model_type="llama")
    found = outlook(llama, snapshot(Backend.MPS))
    assert (found.optimal, found.torch_device) == (Backend.CPU, "cpu")
    [mps] = [seen for seen in found.backends if seen.backend is Backend.MPS]
    assert (mps.compatible, mps.on_this_system, mps.effective) == (False, True, False)
    assert mps.reason


def test_a_model_of_no_family():
    found = outlook(Classification("x/y", None, None, 0.0, 0.0, "none"), snapshot())
    assert "  Family: general (confidence: 0.00)" in found.lines()
    assert "  Recommended Template: hf_general_template.py" in found.lines()
    assert found.to_dict()["family"] is None
    assert all(seen.compatible for seen in found.backends), "nothing is known against any"
