"""What recorded versions are published to: regions and tables."""
