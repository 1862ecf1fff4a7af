# Get detailed memory stats including system and CUDA memory status
stats = pool.get_stats()

# System memory status
system_memory = stats.get("system_memory", {})
available_mb = system_memory.get("available_mb", 0)
percent_used = system_memory.get("percent_used", 0)
print(f"System memory: {available_mb:.2f} MB available, {percent_used}% used")

# Check if the system is under memory pressure
under_pressure = system_memory.get("under_pressure", False)
if under_pressure:
    print("System is under memory pressure - consider clearing resources")

# CUDA memory status
cuda_memory = stats.get("cuda_memory", {})
if cuda_memory.get("device_count", 0) > 0:
    for device in cuda_memory.get("devices", []):
        print(f"CUDA device {device['id']} ({device['name']}): {device['free_mb']:.2f} MB free, {device['percent_used']:.2f}% used")
