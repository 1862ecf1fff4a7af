from rpgen.resource_pool import get_global_resource_pool
from rpgen.hardware_detection import HardwareDetector, CUDA, CPU

# Get detector to check GPU availability
detector = HardwareDetector()
has_multiple_gpus = (detector.is_available(CUDA) and 
                     detector.get_hardware_details()[CUDA]["device_count"] > 1)

# Get resource pool
pool = get_global_resource_pool()

# Define model constructors
def create_bert():
    from transformers import AutoModel
    return AutoModel.from_pretrained("bert-base-uncased")

def create_t5():
    from transformers import AutoModelForSeq2SeqLM
    return AutoModelForSeq2SeqLM.from_pretrained("t5-small")

def create_gpt2():
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained("gpt2")

# Distribute models across GPUs if available
if has_multiple_gpus:
    # GPU 0 for primary LLM (highest memory requirements)
    gpt2_prefs = {"priority_list": [CUDA, CPU], "preferred_index": 0}
    
    # GPU 1 for encoder-decoder model
    t5_prefs = {"priority_list": [CUDA, CPU], "preferred_index": 1}
    
    # GPU 1 for embedding model (can share with encoder-decoder)
    bert_prefs = {"priority_list": [CUDA, CPU], "preferred_index": 1}
    
    # Load models on different GPUs
    gpt2_model = pool.get_model("text_generation", "gpt2", 
                                constructor=create_gpt2, 
                                hardware_preferences=gpt2_prefs)
    
    t5_model = pool.get_model("text_generation", "t5-small", 
                             constructor=create_t5, 
                             hardware_preferences=t5_prefs)
    
    bert_model = pool.get_model("embedding", "bert-base-uncased", 
                               constructor=create_bert, 
                               hardware_preferences=bert_prefs)
else:
    # Single GPU fallback - use standard loading
    gpt2_model = pool.get_model("text_generation", "gpt2", constructor=create_gpt2)
    t5_model = pool.get_model("text_generation", "t5-small", constructor=create_t5)
    bert_model = pool.get_model("embedding", "bert-base-uncased", constructor=create_bert)
