from rpgen.hardware_detection import detect_available_hardware, CUDA, CPU, MPS, OPENVINO
from rpgen.resource_pool import get_global_resource_pool
from transformers import AutoModel

# Get comprehensive hardware information
hw_info = detect_available_hardware()
best_device = hw_info["torch_device"]

# Get resource pool
pool = get_global_resource_pool()

# Set hardware preferences to override automatic selection
hardware_preferences = {
    "device": best_device,
    "force_device": True,  # Skip compatibility checks
    "precision": "fp16"    # Request mixed precision if available
}

# Pass hardware preferences to override automatic device selection
model = pool.get_model(
    "embedding", 
    "bert-base-uncased", 
    constructor=lambda: AutoModel.from_pretrained("bert-base-uncased"),
    hardware_preferences=hardware_preferences
)

# You can also request device-specific versions:
cpu_model = pool.get_model(
    "embedding", 
    "bert-base-uncased", 
    constructor=lambda: AutoModel.from_pretrained("bert-base-uncased"),
    hardware_preferences={"device": "cpu"}
)

# Or use the hardware constants for more reliable selection:
cuda_model = pool.get_model(
    "embedding", 
    "bert-base-uncased", 
    constructor=lambda: AutoModel.from_pretrained("bert-base-uncased"),
    hardware_preferences={"priority_list": [CUDA, CPU]}
)

# The pool maintains separate instances for each unique hardware configuration
