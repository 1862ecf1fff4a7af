from rpgen.resource_pool import get_global_resource_pool

# ResourcePool automatically detects available memory and enables low-memory mode if needed
pool = get_global_resource_pool()

# Check the log for a message like:
# "Low memory detected (4200.5 MB). Enabling low memory mode."

# You can also manually enable low-memory mode by setting an environment variable:
import os
os.environ["RESOURCE_POOL_LOW_MEMORY"] = "1"

# Then create a new pool instance that will use low-memory settings:
pool = get_global_resource_pool()
