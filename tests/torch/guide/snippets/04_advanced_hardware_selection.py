from rpgen.resource_pool import get_global_resource_pool
from rpgen.hardware_detection import detect_available_hardware

# Get comprehensive hardware information
hardware_info = detect_available_hardware()

# Create hardware-aware preferences with specific needs
hardware_preferences = {
    "priority_list": ["cuda", "mps", "cpu"],  # Hardware priority order
    "preferred_index": 0,                     # Use primary GPU
    "precision": "fp16",                     # Use mixed precision when available
    "hw_compatibility": {
        "cuda": {"compatible": True, "memory_usage": {"peak": 500}},
        "mps": {"compatible": True},
        "openvino": {"compatible": True}
    }
}

# Load model with these specific hardware preferences
pool = get_global_resource_pool()
model = pool.get_model(
    "embedding",
    "bert-base-uncased",
    constructor=lambda: AutoModel.from_pretrained("bert-base-uncased"),
    hardware_preferences=hardware_preferences
)
