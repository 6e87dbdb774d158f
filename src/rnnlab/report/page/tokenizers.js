// Text becomes ids and back, as in rnnlab.data: each tokenizer has ids(text), bytes(id) and name(id).
//
// Bytes of characters are their UTF-8, so that one decoder serves all.

const UTF8 = new TextEncoder();

class CharTokenizer {
  constructor({ characters }) {
    this.characters = characters;
    this.known = new Map(characters.map((character, at) => [character, at + 1]));
    this.encoded = [new Uint8Array(0), ...characters.map((character) => UTF8.encode(character))];
  }

  /** 0 stands for what is not in the vocabulary. */
  ids(text) {
    return Array.from(text, (character) => this.known.get(character) ?? 0);
  }

  bytes(id) {
    return this.encoded[id];
  }

  name(id) {
    return id ? this.characters[id - 1] : "<unk>";
  }

  unknown(text) {
    return [...new Set(Array.from(text).filter((character) => !this.known.has(character)))];
  }
}

class ByteTokenizer {
  ids(text) {
    return [...UTF8.encode(text)];
  }

  bytes(id) {
    return Uint8Array.of(id);
  }

  name(id) {
    return id < 128 ? String.fromCharCode(id) : `byte ${id.toString(16).toUpperCase()}`;
  }

  unknown() {
    return [];
  }
}

const LINE_ENDS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029";
const LINES = new RegExp(`[^${LINE_ENDS}]*(?:\r\n|[${LINE_ENDS}])|[^${LINE_ENDS}]+`, "g");
const WHITE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
/** Radford et al. 2019, the published code: runs within which pairs are merged. */
const RUNS = new RegExp(
  "'(?:s|t|re|ve|m|ll|d)| ?\\p{L}+| ?\\p{N}+" +
    `| ?[^${WHITE}\\p{L}\\p{N}]+|[${WHITE}]+(?![^${WHITE}])|[${WHITE}]+`,
  "gu",
);

class BpeTokenizer {
  /** tokens: the bytes of each in hexadecimal; merges: pairs of ids, and what they become. */
  constructor({ tokens, merges }) {
    const value = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
    this.encoded = tokens.map(value);
    this.size = tokens.length;
    this.ofByte = new Map(
      this.encoded.map((bytes, id) => [bytes, id]).filter(([bytes]) => bytes.length === 1)
        .map(([bytes, id]) => [bytes[0], id]),
    );
    this.merges = new Map(
      merges.map(([left, right, both], rank) => [left * this.size + right, { rank, both }]),
    );
  }

  ids(text) {
    const lines = text.match(LINES) ?? [];
    return lines.flatMap((line) => (line.match(RUNS) ?? []).flatMap((run) => this.#merged(run)));
  }

  /** Merge the pair that was learned first, as long as there is one. */
  #merged(run) {
    const ids = Array.from(UTF8.encode(run), (byte) => this.ofByte.get(byte));
    for (;;) {
      let best, place;
      for (let at = 0; at + 1 < ids.length; at++) {
        const merge = this.merges.get(ids[at] * this.size + ids[at + 1]);
        if (merge && !(best?.rank <= merge.rank)) [best, place] = [merge, at];
      }
      if (!best) return ids;
      ids.splice(place, 2, best.both);
    }
  }

  bytes(id) {
    return this.encoded[id];
  }

  name(id) {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.encoded[id]);
  }

  unknown() {
    return [];
  }
}

const TOKENIZERS = { char: CharTokenizer, byte: ByteTokenizer, bpe: BpeTokenizer };

/** Turns ids into text, and holds bytes back until their character is complete. */
class Decoder {
  constructor(tokenizer) {
    this.tokenizer = tokenizer;
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  }

  /** Return the text that is certain after one more id. */
  next(id) {
    const bytes = this.tokenizer.bytes(id);
    if (!bytes.length) return this.decoder.decode() + this.tokenizer.name(id); // <unk>
    return this.decoder.decode(bytes, { stream: true });
  }
}
