"""Storage on disk: whole files, nets, runs, results, downloads."""
