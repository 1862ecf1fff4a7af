#!/usr/bin/env python
import os
import sys
import importlib
import glob
from rpgen.resource_pool import get_global_resource_pool
from rpgen.hardware_detection import HardwareDetector, CUDA, MPS, OPENVINO, CPU

def get_hardware_preferences(model_name):
    """Get hardware preferences based on model name"""
    # Check if multi-GPU system
    detector = HardwareDetector()
    multi_gpu = (detector.is_available(CUDA) and 
                detector.get_hardware_details()[CUDA]["device_count"] > 1)
    
    # Define model-specific preferences
    if "gpt2" in model_name or "llama" in model_name or "llm" in model_name:
        # LLMs need the most GPU memory - primary GPU
        if multi_gpu:
            return {"priority_list": [CUDA, CPU], "preferred_index": 0}
        else:
            return {"priority_list": [CUDA, CPU]}
    
    elif "t5" in model_name or "bart" in model_name:
        # Encoder-decoder models - secondary GPU if available
        if multi_gpu:
            return {"priority_list": [CUDA, CPU], "preferred_index": 1}
        else:
            return {"priority_list": [CUDA, CPU]}
    
    elif "bert" in model_name or "roberta" in model_name or "distil" in model_name:
        # Embedding models - Apple Silicon does well with embeddings
        return {"priority_list": [MPS, CUDA, CPU]}
    
    elif "vit" in model_name or "resnet" in model_name or "yolo" in model_name:
        # Vision models - can use OpenVINO
        return {"priority_list": [CUDA, OPENVINO, CPU]}
    
    elif "whisper" in model_name or "wav2vec" in model_name:
        # Audio models - often need GPU
        return {"priority_list": [CUDA, CPU]}
    
    # Default case
    return {"priority_list": [CUDA, MPS, OPENVINO, CPU]}

def run_test_file(test_file_path):
    """Run a test file using the global resource pool"""
    print(f"Running {test_file_path}...")
    
    # Get the module name from the file path
    module_name = os.path.basename(test_file_path).replace('.py', '')
    
    # Set hardware preferences based on model name
    model_name = module_name.replace('test_hf_', '')
    hw_preferences = get_hardware_preferences(model_name)
    print(f"Using hardware preferences for {model_name}: {hw_preferences}")
    
    # Set environment variable to pass hardware preferences
    os.environ["TEST_HARDWARE_PREFERENCES"] = str(hw_preferences)
    
    # Import the module
    spec = importlib.util.spec_from_file_location(module_name, test_file_path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    
    # Run the test if it has a main function
    if hasattr(module, 'main'):
        module.main()
    else:
        print(f"No main function found in {test_file_path}")
    
    print(f"Completed {test_file_path}")

def main():
    # Get the global resource pool
    pool = get_global_resource_pool()
    
    # Get list of test files
    test_dir = "./skills"
    test_files = glob.glob(os.path.join(test_dir, "test_hf_*.py"))
    
    # Run all tests
    for test_file in test_files:
        run_test_file(test_file)
        # Clean up after each test to prevent memory buildup
        pool.cleanup_unused_resources(max_age_minutes=0.5)  # 30 second timeout
    
    # Show resource pool stats
    stats = pool.get_stats()
    print(f"ResourcePool stats: {stats}")
    
    # Clean up resources
    pool.clear()

if __name__ == "__main__":
    main()
