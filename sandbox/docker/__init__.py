"""The `docker` sandbox: hardened containers, workers forked into them."""
