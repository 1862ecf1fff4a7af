from rpgen.resource_pool import get_global_resource_pool
from rpgen.hardware_detection import CUDA, ROCM, MPS, OPENVINO, CPU

# Define custom hardware priority for different model types
embedding_priority = [MPS, CUDA, CPU]  # Embeddings work well on MPS
text_gen_priority = [CUDA, CPU]  # LLMs need CUDA's memory
vision_priority = [CUDA, OPENVINO, CPU]  # Vision can use OpenVINO as fallback

# Create hardware preferences
hardware_preferences = {
    "priority_list": embedding_priority,
    "preferred_index": 0
}

# The ResourcePool will select hardware based on your priority list
pool = get_global_resource_pool()
model = pool.get_model(
    "embedding", 
    "bert-base-uncased",
    constructor=lambda: AutoModel.from_pretrained("bert-base-uncased"),
    hardware_preferences=hardware_preferences
)
