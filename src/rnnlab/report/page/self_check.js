// Whether this browser computes what rnnlab computes: on tokens whose logits are known, with the page's own weights.

/**
 * Return the largest difference, and what is wrong in words; nothing is if there are none.
 *
 * golden: ids (T), logits (T V) of the network and, with an n-gram model, ln p (T V) of both; tolerance: as a share of
 * the largest logit. stored: bytes and their checksums, [bytes, checksum] each.
 */
function selfCheck(predictor, golden, stored) {
  const { V } = predictor.network, faults = [];
  if (stored.some(([bytes, wanted]) => checksum(bytes) !== wanted)) {
    faults.push("what it stores is not what was exported: a checksum differs");
  }
  let difference = 0, largest = 1;
  const compare = (found, value) => {
    const apart = Math.abs(found - value);
    difference = Math.max(difference, Number.isNaN(apart) ? Infinity : apart);
  };
  predictor.reset();
  golden.ids.forEach((token, t) => {
    predictor.read(token);
    for (let v = 0; v < V; v++) {
      const value = golden.logits[t * V + v];
      largest = Math.max(largest, Math.abs(value));
      compare(predictor.network.logits[v], value);
      if (golden.mixed) compare(predictor.logP[v], golden.mixed[t * V + v]);
    }
  });
  predictor.reset();
  if (difference > golden.tolerance * largest) {
    faults.push(`its logits differ from rnnlab's by up to ${inWords(difference)}`);
  }
  return { difference, faults };
}

/** Return a number as people read it, such as 2.1 · 10⁻⁶. */
function inWords(number) {
  if (number === 0 || !Number.isFinite(number)) return String(number).replace("Infinity", "∞");
  const [digits, exponent] = number.toExponential(1).split("e");
  const raised = Array.from(exponent.replace("+", ""), (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
  return `${digits}\u00a0·\u00a010${raised.join("")}`;
}
