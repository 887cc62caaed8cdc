"""What Parley costs, measured beside what a user would write instead: `make bench`."""
