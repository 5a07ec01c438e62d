"""What makes the networks fast on CPUs; they run without it too."""
