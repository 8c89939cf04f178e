"""All that is copied beside a hand-in and runs there, and nothing else."""
