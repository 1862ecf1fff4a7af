from rpgen.resource_pool import get_global_resource_pool

# Get the global resource pool instance
pool = get_global_resource_pool()

# Get or create a resource 
torch = pool.get_resource("torch", constructor=lambda: __import__("torch"))
transformers = pool.get_resource("transformers", constructor=lambda: __import__("transformers"))

# Get or create a model with hardware awareness
model = pool.get_model(
    "embedding", 
    "bert-base-uncased", 
    constructor=lambda: transformers.AutoModel.from_pretrained("bert-base-uncased"),
    hardware_preferences={"device": "auto"}  # Automatically select optimal device
)

# Get or create a tokenizer
tokenizer = pool.get_tokenizer(
    "embedding", 
    "bert-base-uncased",
    constructor=lambda: transformers.AutoTokenizer.from_pretrained("bert-base-uncased")
)

# Get resource pool usage statistics
stats = pool.get_stats()
print(f"Resource pool stats: {stats}")

# Clean up unused resources (resources not accessed in the last 30 minutes)
pool.cleanup_unused_resources(max_age_minutes=30)

# Or clear all resources
pool.clear()
