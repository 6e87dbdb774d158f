"""What a network has learned: one probe a file, each with its control."""
