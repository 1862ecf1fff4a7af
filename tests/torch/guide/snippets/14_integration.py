from rpgen.model_family_classifier import classify_model
from rpgen.hardware_detection import detect_available_hardware
from rpgen.resource_pool import get_global_resource_pool

# The integration happens automatically in ResourcePool.get_model()
pool = get_global_resource_pool()

# ResourcePool will automatically:
# 1. Detect available hardware using hardware_detection
# 2. Classify the model family using model_family_classifier
# 3. Determine the optimal device for the specific model family
# 4. Select appropriate precision and memory settings
model = pool.get_model("bert", "bert-base-uncased", constructor=lambda: ...)

# This happens behind the scenes:
# - Embedding models like BERT are analyzed for size and hardware compatibility
# - Text generation models are checked against available GPU memory
# - Multimodal models get special handling for specific hardware platforms
# - Hardware-specific optimizations are applied based on model family
