"""What ``rightreasons benchmark NAME`` runs: one function for each name, all reporting in one form."""
