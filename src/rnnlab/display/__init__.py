"""What the terminal shows: tables, progress, findings; the only room that uses rich."""
