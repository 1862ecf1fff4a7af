"""Two Ray nodes on this machine until standard input ends; prints the address to connect to."""

import logging
import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster


def main() -> None:
    size = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**size, "include_dashboard": False})
    cluster.add_node(**size)
    print(cluster.address, flush=True)
    sys.stdin.read()
    logging.disable()
    cluster.shutdown()


if __name__ == "__main__":
    main()
