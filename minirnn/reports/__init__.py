"""The nets and runs of two lab reports on names, done again: docs/reports.md."""
