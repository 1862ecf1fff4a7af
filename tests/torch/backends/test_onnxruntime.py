from tests.torch.backends.contract import BackendContract


class TestOnnxRuntime(BackendContract):
    target = "onnxruntime"
