hardware_preferences = {
    # Basic device selection
    "device": "auto",  # or "cuda", "cpu", "mps", "cuda:1", etc.
    
    # Advanced hardware selection
    "priority_list": ["cuda", "mps", "cpu"],  # Hardware types in order of preference
    "preferred_index": 0,  # For multi-GPU systems, which GPU to prefer
    
    # Hardware compatibility information
    "hw_compatibility": {
        "cuda": {"compatible": True, "memory_usage": {"peak": 1200}},
        "mps": {"compatible": True},
        "openvino": {"compatible": True}
    },
    
    # Memory management
    "force_low_memory": False,  # Force low-memory optimizations
    "precision": "fp16"  # Request mixed precision if available
}
