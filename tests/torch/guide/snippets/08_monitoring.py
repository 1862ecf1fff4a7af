pool = get_global_resource_pool()
stats = pool.get_stats()
print(f"Resource pool stats: {stats}")
