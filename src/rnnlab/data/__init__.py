"""Text becomes batches, in this order:

named_corpora.py    the texts that rnnlab knows by name: finding and downloading them
decoding.py         bytes become pieces of text
texts.py            one text: held in memory, or a file that is read in pieces
corpus.py           opening a corpus: one or several texts
preprocessing.py    the text rules
pieces.py           cutting a text in pieces elsewhere
prepared_text.py    a corpus after its text rule: split sizes, vocabulary
splits.py           train, validation, test
tokenizer.py        tokenizers by name; defined in {base,char,word,bpe}_tokenizer*.py
spelling.py         the code for what is not in a vocabulary
token_cache.py      files of ids for texts that are too large for memory
streaming_limits.py which texts those are, and how much of them is kept
copies.py           what is held out, but stands in the training text
dataset.py          all of this together: splits and their ids
batches.py          ids become batches
"""
