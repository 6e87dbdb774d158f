// What the model's text rule does with a text before it is read; see rnnlab.data.preprocessing.

const TEXT_RULES = {
  none: (text) => text,
  nfc: (text) => text.normalize("NFC"),
  lower: (text) => text.toLowerCase(),
  /** In each line only a-z and single spaces; lines are joined with nothing between them. */
  letters: (text) =>
    text.split("\n").map((line) => line.replace(/[^A-Za-z]+/g, " ").trim().toLowerCase()).join(""),
};

const RULES_IN_WORDS = {
  nfc: "letters and their marks are composed (NFC)",
  lower: "capitals are read as small letters",
  letters: "only letters a to z and single spaces within a line are read",
};

/** Say what rules do; "" if they do nothing. */
function rulesInWords(rule) {
  return rule.split(" ").map((name) => RULES_IN_WORDS[name]).filter(Boolean).join("; ");
}

/** Apply a rule, or several whose names are separated by spaces. */
function underRule(text, rule) {
  return rule.split(" ").reduce((found, name) => TEXT_RULES[name](found), text);
}
