"""Files that people write: strict YAML with places, its shape, and problems shown where they are."""
