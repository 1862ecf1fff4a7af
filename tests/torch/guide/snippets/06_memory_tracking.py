pool = get_global_resource_pool()
stats = pool.get_stats()

# See overall memory usage
print(f"Total memory usage: {stats['memory_usage_mb']:.2f} MB")

# Get system memory status
system_memory = stats.get("system_memory", {})
if system_memory:
    available_mb = system_memory.get("available_mb", 0)
    percent_used = system_memory.get("percent_used", 0)
    print(f"System memory: {available_mb:.2f} MB available, {percent_used}% used")
    
    # Check for memory pressure
    under_pressure = system_memory.get("under_pressure", False)
    if under_pressure:
        print("System is under memory pressure - consider clearing resources")

# Get CUDA memory status
cuda_memory = stats.get("cuda_memory", {})
if cuda_memory and cuda_memory.get("device_count", 0) > 0:
    print("CUDA memory stats:")
    for device in cuda_memory.get("devices", []):
        print(f"  Device {device['id']} ({device['name']}): {device['free_mb']:.2f} MB free, {device['percent_used']:.1f}% used")

# Get detailed per-model memory information
for key in pool.models:
    if key in pool._stats:
        memory_mb = pool._stats[key].get('memory_usage', 0) / (1024 * 1024)
        method = pool._stats[key].get('memory_estimation_method', 'unknown')
        device = pool._stats[key].get('device', 'unknown')
        print(f"Model {key}: {memory_mb:.2f} MB (method: {method}, device: {device})")
