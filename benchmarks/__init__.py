"""Measurements: asv suites (bench_*.py) and tables beside other methods (compare_*.py)."""
