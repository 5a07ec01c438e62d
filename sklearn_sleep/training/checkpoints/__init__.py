"""Trained networks in folders: our own format, the published one, and the Hugging Face Hub."""
