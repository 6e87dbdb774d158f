"""Text becomes batches: corpora, preprocessing, tokenizers, splits, batches."""
