"""What is right and what is wrong in a hand-in, exercise by exercise."""
