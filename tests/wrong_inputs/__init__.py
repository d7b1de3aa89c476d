"""Wrong inputs of the command line, by where they come from."""
