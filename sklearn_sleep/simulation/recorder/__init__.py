"""What a laboratory makes of it: channels, artefacts and files."""
