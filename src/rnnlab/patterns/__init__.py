"""What a text may be: regular expressions as automata over characters and bytes."""
