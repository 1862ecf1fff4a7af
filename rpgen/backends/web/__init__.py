"""Models in a real browser: WebGPU, WebNN and wasm, through onnxruntime-web."""
