// What the page holds: its description, and bytes in base64. Numbers are little-endian.

/** Return the content of an element that holds JSON. */
function describedBy(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

/** Return the bytes of an element that holds base64. */
function bytesOf(id) {
  const text = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Return bytes that zlib has compressed. */
async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Return the checksum CRC-32 of bytes, as zlib computes it. */
function checksum(bytes) {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
    return byte;
  });
  let sum = 0xffffffff;
  for (const byte of bytes) sum = table[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/** Return the number that 16 bits stand for in half precision (IEEE 754). */
function halfPrecision(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/** Return the numbers of one tensor as float32; all are where `weights` says in `bytes`. */
function tensorOf(bytes, { type, shape, begin, scales }) {
  const size = shape.reduce((a, b) => a * b, 1);
  const part = (from, count, width) => bytes.slice(from, from + count * width).buffer;
  if (type === "float16") {
    return Float32Array.from(new Uint16Array(part(begin, size, 2)), halfPrecision);
  }
  if (type === "float32") return new Float32Array(part(begin, size, 4));
  // int8: each row has a scale.
  const columns = size / shape[0], scale = new Float32Array(part(scales, shape[0], 4));
  const whole = new Int8Array(part(begin, size, 1));
  return Float32Array.from(whole, (value, at) => value * scale[Math.floor(at / columns)]);
}
