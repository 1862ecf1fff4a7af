from rpgen.resource_pool import get_global_resource_pool
from rpgen.hardware_detection import CUDA, MPS, CPU

# Get the resource pool
pool = get_global_resource_pool()

# Define hardware preferences for different models
llm_preferences = {
    "priority_list": [CUDA, CPU],  # LLMs often need CUDA
    "preferred_index": 0  # Use primary GPU (typically has most memory)
}

vision_preferences = {
    "priority_list": [CUDA, MPS, CPU],
    "preferred_index": 1  # Use secondary GPU for vision models
}

# Load models with different hardware preferences
llm_model = pool.get_model(
    "text_generation", 
    "gpt2",
    constructor=lambda: AutoModelForCausalLM.from_pretrained("gpt2"),
    hardware_preferences=llm_preferences  # Uses CUDA:0
)

vision_model = pool.get_model(
    "vision", 
    "vit-base-patch16-224",
    constructor=lambda: AutoModelForImageClassification.from_pretrained("vit-base-patch16-224"),
    hardware_preferences=vision_preferences  # Uses CUDA:1 if available
)
