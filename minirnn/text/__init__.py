"""A text, letter by letter: its pieces, counts of letters, and a net that writes on."""
