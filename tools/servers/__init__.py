"""The real servers that tests and benchmarks run against: one file each, and here what they have in common."""
