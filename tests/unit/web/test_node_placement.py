from rpgen.backends.web.placement import placed


def test_all_on_one_provider() -> None:
    found = placed([{"provider": "CPUExecutionProvider", "nodes": 229, "kinds": {}}])
    assert found.nodes == {"CPU": 229}


def test_sizes_on_the_processor_are_no_fallback_and_products_are() -> None:
    light = {"provider": "CPUExecutionProvider", "nodes": 3, "kinds": {"Shape": 2, "Cast": 1}}
    gpu = {"provider": "WebGpuExecutionProvider", "nodes": 90, "kinds": {"MatMul": 9}}
    assert placed([light, gpu]).heavy_on_cpu == ()
    assert placed([light, gpu]).nodes == {"CPU": 3, "WebGpu": 90}
    heavy = {**light, "kinds": {"LSTM": 1, "MatMul": 2}}
    assert placed([heavy, gpu]).heavy_on_cpu == ("LSTM", "MatMul")


def test_webnn_counts_nodes_before_they_are_fused() -> None:
    told = [
        {"provider": "WebNN", "parts": 1, "nodes": 230, "supported": 230},
        {"provider": "WebNNExecutionProvider", "nodes": 1, "kinds": {}},
    ]
    found = placed(told)
    assert found.nodes == {"WebNN": 230}
    assert found.parts == 1


def test_copies_between_providers_are_no_nodes_of_the_model() -> None:
    copies = {"provider": "WebGpuExecutionProvider", "nodes": 2, "kinds": {"MemcpyFromHost": 2}}
    cpu = {"provider": "CPUExecutionProvider", "nodes": 5, "kinds": {"Cast": 5}}
    assert placed([cpu, copies]).nodes == {"CPU": 5}


def test_nothing_told_is_nothing_known() -> None:
    assert placed([]).nodes == {}
