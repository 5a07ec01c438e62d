"""What a sleeper does: stages, heart, pulse, breath and brain."""
