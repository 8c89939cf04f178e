"""A class of hand-ins: read, graded, counted, compared, and put where a course collects marks."""
