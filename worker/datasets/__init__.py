"""Built-in data sets and the import of a person's own images."""
