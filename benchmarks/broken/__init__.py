"""Ways to break a healthy model, each a small function; the benchmark `faults` runs them."""
