"""What every backend has to keep, in a browser: here the processor imitates the GPU."""

from tests.torch.backends.contract import BackendContract


class TestWasm(BackendContract):
    target = "wasm"


class TestWebGpu(BackendContract):
    target = "webgpu"


class TestWebNn(BackendContract):
    target = "webnn"
