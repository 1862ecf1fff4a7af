from rpgen.resource_pool import get_global_resource_pool
from transformers import AutoModel

# Get resource pool - hardware detection happens automatically
pool = get_global_resource_pool()

# Define model constructor - the pool will decide optimal device
def create_model():
    return AutoModel.from_pretrained("bert-base-uncased")

# The ResourcePool automatically detects hardware capabilities,
# classifies the model family, and chooses the optimal device
model = pool.get_model(
    "embedding",  # Model family helps optimize hardware selection
    "bert-base-uncased", 
    constructor=create_model
)

# The selected device is logged during model loading:
# "Selected optimal device for embedding:bert-base-uncased: cuda:0"
