from tests.torch.backends.contract import BackendContract


class TestOpenVino(BackendContract):
    target = "openvino"
