# The ResourcePool automatically detects:
# - CPU capabilities (cores, architecture, extensions like AVX/SSE)
# - CUDA availability (device count, memory, compute capability)
# - MPS availability (Apple Silicon)
# - ROCm availability (AMD GPUs)
# - OpenVINO availability
# - WebNN/WebGPU availability
# - System memory availability

# Then it analyzes the model type and makes intelligent decisions:
from rpgen.resource_pool import get_global_resource_pool

pool = get_global_resource_pool()

# Example: Loading an LLM
# - Will automatically check GPU memory requirements
# - Will fall back to CPU if not enough CUDA memory is available
# - Will handle quantization options if available
model = pool.get_model(
    "text_generation", 
    "llama-7b",
    constructor=lambda: create_llama_model()
)

# Example: Loading an embedding model
# - Will prioritize MPS on Apple Silicon for efficiency
# - Will use CUDA for higher throughput if available
# - Will use available CPU optimizations if no GPU is available
model = pool.get_model(
    "embedding", 
    "bert-base",
    constructor=lambda: create_bert_model()
)

# Example: Loading a vision model
# - Will check for specialized vision hardware support
# - Will leverage OpenVINO if available
# - Will optimize batch processing for input images
model = pool.get_model(
    "vision", 
    "vit-base",
    constructor=lambda: create_vision_model()
)
