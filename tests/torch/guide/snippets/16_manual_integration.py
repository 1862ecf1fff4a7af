from rpgen.model_family_classifier import classify_model
from rpgen.hardware_detection import detect_available_hardware
from rpgen.resource_pool import get_global_resource_pool

# Get hardware information
hw_info = detect_available_hardware()
available_devices = []
if hw_info["hardware"].get("cuda", False):
    available_devices.append("cuda")
if hw_info["hardware"].get("mps", False):
    available_devices.append("mps")
available_devices.append("cpu")  # CPU is always available

# Classify model to determine family and hardware compatibility
model_info = classify_model("bert-base-uncased")
model_family = model_info["family"]
subfamily = model_info.get("subfamily")

# Check for hardware compatibility issues
hw_compatibility = {}
if model_family == "multimodal" and "mps" in available_devices:
    # Multimodal models may have issues on MPS (Apple Silicon)
    hw_compatibility["mps"] = {"compatible": False, "reason": "Multimodal models not fully supported on MPS"}

# Use all this information for optimal resource allocation
pool = get_global_resource_pool()
model = pool.get_model(
    model_type=model_family,
    model_name="bert-base-uncased", 
    constructor=lambda: ...,
    hardware_preferences={
        "compatible_devices": available_devices,
        "hw_compatibility": hw_compatibility
    }
)
