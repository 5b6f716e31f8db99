"""Our end of the untrusted process: every byte that it sends is checked here."""
