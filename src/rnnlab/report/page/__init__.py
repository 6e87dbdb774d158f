"""A model as one HTML page that writes in any browser, without rnnlab and without a network."""
