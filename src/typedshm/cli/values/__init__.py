"""Values: of regions as text, rows and pictures, and from text."""
