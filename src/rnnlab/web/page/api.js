// What the server is asked, and what it answers.

const TOKEN = "rnnlab:token";
const KINDS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };
const listeners = new Set();

/** An answer that says what was wrong, in the server's words. */
export class Problem extends Error {
  constructor(message, { status = 0, code = "", param = null } = {}) {
    super(message);
    Object.assign(this, { status, code, param });
  }
}

const given = new URLSearchParams(location.hash.replace(/^#/, "")).get("token");
if (given) {
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", "#/runs");
}

/** Call `changed` with whether a token is needed, whenever that changes. */
export function watchToken(changed) {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

/** Use a token from now on; raises Problem if it is not the right one. */
export async function setToken(token) {
  sessionStorage.setItem(TOKEN, token);
  await get("/health");
  listeners.forEach((changed) => changed(false));
}

const away = () => new Problem("The server does not answer. Is rnnlab serve still running?", { code: "no_answer" });

/** Return the answer to a request; raises Problem, or the AbortError of its signal. */
async function ask(path, { method = "GET", body, signal, headers = {} } = {}) {
  const token = sessionStorage.getItem(TOKEN);
  let response;
  try {
    response = await fetch(path, {
      method, signal, cache: "no-store",
      headers: {
        ...headers,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw away();
  }
  if (response.ok) return response;
  if (response.status === 401) listeners.forEach((changed) => changed(true));
  const content = await response.json().catch(() => null);
  const { message, code, param } = content?.error ?? {};
  throw new Problem(message ?? `The server answered ${response.status}.`, { status: response.status, code, param });
}

/** Return the JSON that the server has at a path. */
export async function get(path, options) {
  return (await ask(path, options)).json();
}

/** Send JSON; return the JSON of the answer. */
export async function post(path, body, options) {
  return (await ask(path, { ...options, method: "POST", body })).json();
}

/** Return a name as a part of a path, in which its slashes stay. */
export function inPath(name) {
  return name.split("/").map(encodeURIComponent).join("/");
}

/**
 * Yield the server-sent events of a request, with or without a body: {id, event, data}, data as text.
 *
 * Leave the loop or abort the signal to end it. An event with an error is thrown as a Problem.
 */
export async function* events(path, { body, signal, lastId = "" } = {}) {
  const headers = { accept: "text/event-stream", ...(lastId ? { "last-event-id": lastId } : {}) };
  const response = await ask(path, { method: body === undefined ? "GET" : "POST", body, signal, headers });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        throw error.name === "AbortError" ? error : away();
      });
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const found = eventOf(block);
        if (found?.data === "[DONE]") return;
        if (found) yield found;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Return an event of a block of lines; null: only a comment. */
function eventOf(block) {
  const found = { id: "", event: "message", data: "" }, data = [];
  for (const line of block.split("\n")) {
    const [, name, value] = line.match(/^(\w*): ?(.*)$/) ?? [];
    if (name === "data") data.push(value);
    else if (name in found) found[name] = value;
  }
  if (!data.length) return null;
  found.data = data.join("\n");
  if (found.data.startsWith('{"error":')) {
    const { message, code, param } = JSON.parse(found.data).error;
    throw new Problem(message, { code, param });
  }
  return found;
}

/** Send JSON; return {header, arrays} of a binary answer: float16 as Float32Array, others as they are. */
export async function arrays(path, body, options) {
  const buffer = await (await ask(path, { ...options, method: "POST", body })).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const found = {};
  for (const { name, shape, offset, dtype } of header.arrays) {
    const size = shape.reduce((product, side) => product * side, 1);
    const own = new (KINDS[dtype] ?? Uint16Array)(buffer, offset, size);
    found[name] = dtype === "float16" ? fromHalf(own) : own;
  }
  return { header, arrays: found };
}

/** Return 16-bit floating point numbers, IEEE 754 binary16, as 32-bit ones. */
function fromHalf(halves) {
  const found = new Float32Array(halves.length);
  for (let at = 0; at < halves.length; at++) {
    const bits = halves[at], exponent = (bits >> 10) & 31, part = bits & 1023;
    const size = exponent === 0 ? part * 2 ** -24
      : exponent === 31 ? (part ? NaN : Infinity)
      : (1 + part / 1024) * 2 ** (exponent - 15);
    found[at] = bits >> 15 ? -size : size;
  }
  return found;
}
