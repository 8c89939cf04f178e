"""minirnn: recurrent nets with every gradient written by hand, on NumPy or CuPy."""
