"""What goes to the disk and comes back: whole files, nets, runs, results, downloads."""
