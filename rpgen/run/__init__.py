"""Running test files so that no file can cost more than its own result: see design.md."""
