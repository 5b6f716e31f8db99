"""The client's end of an untrusted worker: every byte that a worker sends is checked here."""
