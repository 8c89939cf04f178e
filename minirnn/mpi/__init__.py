"""More than one machine: the ranks of MPI, and training that is shared among them."""
