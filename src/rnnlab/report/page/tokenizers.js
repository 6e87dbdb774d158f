// Text becomes ids and back, as in rnnlab.data: each tokenizer has ids(text), bytes(id) and name(id).
//
// Bytes of characters are their UTF-8, so that one decoder serves all.

const UTF8 = new TextEncoder();

/** Parts of text that are listed; 0 stands for all others. Has cut(text). */
class ListedTokenizer {
  constructor(parts) {
    this.parts = parts;
    this.known = new Map(parts.map((part, at) => [part, at + 1]));
    this.encoded = [new Uint8Array(0), ...parts.map((part) => UTF8.encode(part))];
  }

  ids(text) {
    return this.cut(text).map((part) => this.known.get(part) ?? 0);
  }

  bytes(id) {
    return this.encoded[id];
  }

  name(id) {
    return id ? this.parts[id - 1] : "<unk>";
  }

  unknown(text) {
    return [...new Set(this.cut(text).filter((part) => !this.known.has(part)))];
  }
}

class CharTokenizer extends ListedTokenizer {
  constructor({ characters }) {
    super(characters);
  }

  cut(text) {
    return Array.from(text);
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

const WHITE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PARTS_OF_WHITE = new RegExp(`\\r\\n|[${WHITE}\\x1c-\\x1f]|[^${WHITE}\\x1c-\\x1f]+`, "gu");
const IS_WHITE = new RegExp(`^[${WHITE}\\x1c-\\x1f]`, "u");
/** Scripts without spaces, for which a browser has dictionaries and rnnlab has not: each letter is a token. */
const OWN_LETTERS = "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}";
const WITHOUT_SPACES = new RegExp(`^[${OWN_LETTERS}]`, "u");
const LETTERS_WITH_MARKS = /\P{M}[\p{M}\u200d]*|\p{M}+/gu;
/** UAX 29 joins letters at these; browsers do not. */
const JOINTS = /^[.:]$/, LETTER = `(?![${OWN_LETTERS}\\p{sc=Katakana}])\\p{L}`;
const LETTER_FIRST = new RegExp(`^${LETTER}`, "u"), LETTER_LAST = new RegExp(`${LETTER}\\p{M}*$`, "u");

class WordTokenizer extends ListedTokenizer {
  constructor({ words }) {
    super(words);
    this.segmenter = new Intl.Segmenter("en", { granularity: "word" });
  }

  /** Cut a text at Unicode word boundaries (UAX 29); a word has the space before it. */
  cut(text) {
    const tokens = [];
    let space = "";
    const take = (part) => {
      tokens.push(space + part);
      space = "";
    };
    for (const part of this.#segments(text).flatMap((segment) => segment.match(PARTS_OF_WHITE))) {
      if (IS_WHITE.test(part)) {
        if (space) tokens.push(space);
        space = part === " " ? part : "";
        if (!space) tokens.push(part);
      } else if (WITHOUT_SPACES.test(part)) part.match(LETTERS_WITH_MARKS).forEach(take);
      else take(part);
    }
    return space ? [...tokens, space] : tokens;
  }

  #segments(text) {
    const found = [];
    for (const { segment } of this.segmenter.segment(text)) {
      const [before, joint] = found.slice(-2);
      const isJoined = joint && JOINTS.test(joint) && LETTER_LAST.test(before) && LETTER_FIRST.test(segment);
      if (isJoined) found.splice(-2, 2, before + joint + segment);
      else found.push(segment);
    }
    return found;
  }
}

const LINE_ENDS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029";
const LINES = new RegExp(`[^${LINE_ENDS}]*(?:\r\n|[${LINE_ENDS}])|[^${LINE_ENDS}]+`, "g");
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

const TOKENIZERS = { char: CharTokenizer, byte: ByteTokenizer, bpe: BpeTokenizer, word: WordTokenizer };

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
