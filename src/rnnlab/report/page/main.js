// Puts the page together: loads what it stores, checks itself, and ties the parts to what people do.

const element = (id) => document.getElementById(id);

async function load() {
  const model = describedBy("model"), data = bytesOf("weights");
  const kernel = await fastestKernel(bytesOf("kernel"), placesOf(model).size);
  const tensors = Object.fromEntries(model.tensors.map((about) => [about.name, tensorOf(data, about)]));
  const stored = [[data, model.checksum]];
  let table = null;
  if (model.ngram) {
    const packed = bytesOf("ngram"), { orders } = model.ngram;
    stored.push([packed, model.ngram.checksum]);
    let end = 0;
    const parts = orders.map(({ content }) => packed.subarray(end, (end += content)));
    table = new NGramTable({ ...model, orders }, await Promise.all(parts.map(inflated)));
  }
  const predictor = new Predictor(new Network(model, kernel, tensors), table, model.ngram?.gate);
  const numbers = (id) => new Float32Array(bytesOf(id).buffer);
  const golden = { ...model.golden, logits: numbers("golden") };
  if (table) golden.mixed = numbers("golden-mixed");
  const tokenizer = new TOKENIZERS[model.tokenizer.type](model.tokenizer);
  return { model, tokenizer, predictor, found: selfCheck(predictor, golden, stored) };
}

/** Say whether the page computes what it should. */
function tellCheck({ difference, faults }, kernel) {
  const state = faults.length ? "red" : "green";
  element("check").className = `check ${state}`;
  element("check").textContent = faults.length
    ? `Self-check failed: ${faults.join("; ")}. Do not trust what this page writes.`
    : `Self-check passed: logits as rnnlab computes them, largest difference ${inWords(difference)} (${kernel}).`;
}

function connect({ model, tokenizer, predictor }) {
  const gates = new GatesView(model.cell, element("gates"), element("unit"), element("unit-values"));
  let random = randomNumbers(0), isWriting = false;

  const coloured = new ColouredText(element("coloured"), element("card"), {
    onChoose: showChosen,
    described(at) {
      const { first, last, bits } = session.pieces.list[at], { expected } = session.reading.at(first);
      const title = document.createElement("p"), bars = document.createElement("ol");
      title.textContent = surpriseOf(at, bits, last > first);
      bars.className = "expected";
      bars.append(...expectedBars(tokenizer, expected.slice(0, 5), session.reading.ids[first]));
      return [title, bars];
    },
  });
  const session = new Session(model, tokenizer, predictor, (same) => {
    coloured.show(session.pieces.list, same);
    if (isWriting) {
      element("text").value = session.text;
      element("text").scrollTop = element("text").scrollHeight;
      element("coloured").scrollTop = element("coloured").scrollHeight;
    }
  });

  function surpriseOf(at, bits, isSeveral) {
    const name = `“${visible(session.pieces.list[at].text)}”`;
    if (Number.isNaN(bits)) return `${name}: the first character, before which nothing was read`;
    const several = isSeveral ? "; alternatives to its first token" : "";
    return `${name}: ${bits.toFixed(2)} bits, probability ${(100 * 2 ** -bits).toPrecision(2)}%${several}`;
  }

  function showChosen(at) {
    const { first, last, bits } = session.pieces.list[at], { reading } = session;
    element("chosen-text").textContent = surpriseOf(at, bits, last > first);
    const bars = expectedBars(tokenizer, reading.at(first).expected, reading.ids[first]);
    element("expected").replaceChildren(...bars);
    gates.show(reading.at(last).inside[Number(element("layer").value)]);
    element("inside").hidden = false;
  }

  function tellSurprise() {
    const { bits, characters } = session.surprise;
    element("surprise").textContent = characters
      ? `${(bits / characters).toFixed(2)} bits per character over ${characters.toLocaleString("en")} predicted characters`
      : "Type something above, or let the model write.";
    if (coloured.chosen < 0) element("inside").hidden = true;
  }

  function tellReading(text) {
    const unknown = tokenizer.unknown(prepared(text, model)).map((part) => `“${visible(part)}”`);
    const words = [];
    if (text.length >= MOST_CHARACTERS) words.push(`Only the first ${MOST_CHARACTERS.toLocaleString("en")} characters are read.`);
    if (unknown.length) words.push(`Not in the vocabulary, read as <unk>: ${unknown.slice(0, 10).join(" ")}`);
    element("notice").textContent = words.join(" ");
  }

  async function read() {
    const text = element("text").value.slice(0, MOST_CHARACTERS);
    tellReading(text);
    const isRead = await session.read(text);
    tellSurprise();
    return isRead;
  }

  /** Return the number in a field; while it is not one, the field says so, and the default is used. */
  function numberIn(id) {
    const field = element(id);
    return field.validity.valid && field.value !== "" ? Number(field.value) : Number(field.defaultValue);
  }

  async function write() {
    setWriting(true);
    const count = (await read()) ? numberIn("length") : 0;
    random = randomNumbers(numberIn("seed"));
    const { written, milliseconds } = await session.write(count, () => ({
      temperature: numberIn("temperature"), topK: numberIn("top-k"), random,
    }));
    setWriting(false);
    const speed = Math.round((1000 * written) / Math.max(milliseconds, 0.1));
    element("status").textContent = written
      ? `${written.toLocaleString("en")} tokens written, ${speed.toLocaleString("en")} in a second.`
      : "Nothing was written: the text is as long as this page can hold, it has ended, or it was stopped.";
    tellSurprise();
    coloured.choose(session.pieces.list.length - 1);
  }

  function setWriting(value) {
    const hadFocus = document.activeElement === element(value ? "write" : "stop");
    isWriting = value;
    element("text").readOnly = element("write").disabled = element("clear").disabled = value;
    element("stop").disabled = !value;
    element("status").textContent = value ? "Writing." : "";
    // A button that is switched off cannot keep the focus; other fields keep it.
    if (hadFocus) element(value ? "stop" : "write").focus({ preventScroll: true });
  }

  const showTemperature = () => (element("temperature-value").value = numberIn("temperature").toFixed(2));
  element("text").addEventListener("input", read);
  element("write").addEventListener("click", write);
  element("stop").addEventListener("click", () => session.stop());
  element("clear").addEventListener("click", () => {
    element("text").value = "";
    element("text").focus();
    read();
  });
  element("temperature").addEventListener("input", showTemperature);
  element("seed").addEventListener("input", () => (random = randomNumbers(numberIn("seed"))));
  element("layer").addEventListener("change", () => coloured.choose(coloured.chosen));
  element("rule").textContent = rulesInWords(model.rule);
  for (const field of document.querySelectorAll("#writing :disabled")) field.disabled = field.id === "stop";
  showTemperature();
  read().then(() => coloured.choose(session.pieces.list.length - 1));
}

load().then((page) => {
  tellCheck(page.found, page.predictor.network.kernel.name);
  connect(page);
  window.rnnlab = forPrograms(page.model, page.tokenizer, page.predictor);
}).catch((error) => {
  element("check").className = "check red";
  element("check").textContent = `This page could not start: ${error.message}`;
  console.error(error);
});
