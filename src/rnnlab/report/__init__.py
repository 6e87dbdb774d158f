"""The report: what run directories hold, as one HTML page and as Markdown. Needs no torch."""
