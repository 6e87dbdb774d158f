"""`rnnlab bench`: engines side by side, on whole training steps and on generation."""
