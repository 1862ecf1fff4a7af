from tests.torch.backends.contract import BackendContract


class TestEager(BackendContract):
    target = "cpu"


class TestCompiled(BackendContract):
    target = "cpu+compile"


class TestCompiledByOpenVino(BackendContract):
    target = "openvino+compile"
