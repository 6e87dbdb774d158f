// The mean of a few values and its interval.

/** Return P(|T| <= t) of Student's t with some degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4). */
function within(t, freedom) {
  const angle = Math.atan(t / Math.sqrt(freedom)), sine = Math.sin(angle), cosine = Math.cos(angle);
  const isOdd = freedom % 2 === 1;
  let term = isOdd ? cosine : 1, sum = freedom === 1 ? 0 : term;
  for (let k = isOdd ? 3 : 2; k < freedom; k += 2) {
    term *= ((k - 1) / k) * cosine ** 2;
    sum += term;
  }
  return isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}

/** Return the t of which |T| is below with this probability, by bisection. */
export function quantile(freedom, confidence = 0.95) {
  let low = 0, high = 1_000;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (within(middle, freedom) < confidence) low = middle;
    else high = middle;
  }
  return high;
}

/** Return {mean, half}: x̄ ± t s / √n with 95% confidence; half is null for a single value. */
export function estimate(values) {
  const count = values.length, mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, half: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, half: quantile(count - 1) * Math.sqrt(squares / (count - 1) / count) };
}
