// What pages remember and load.

import { useCallback, useEffect, useRef, useState } from "./preact.js";

const PREFIX = "rnnlab:";

/** Return what was stored under a key, or else the initial value. */
export function stored(key, initial) {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text === null ? initial : JSON.parse(text);
  } catch {
    return initial;
  }
}

/** Store a value; a full or forbidden storage only means that a reload forgets it. */
export function store(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    return false;
  }
  return true;
}

/** A state that a reload of the page keeps. */
export function useStored(key, initial) {
  const [value, setValue] = useState(() => stored(key, initial));
  const set = useCallback((next) => setValue((before) => {
    const found = typeof next === "function" ? next(before) : next;
    store(key, found);
    return found;
  }), [key]);
  return [value, set];
}

/**
 * Load something whenever `inputs` change: {value, problem, isLoading, again}.
 *
 * load: gets a signal that is aborted when its result is no longer wanted. The value before stays meanwhile.
 */
export function useLoaded(load, inputs) {
  const [state, setState] = useState({ value: undefined, problem: null, isLoading: true });
  const [tries, setTries] = useState(0), now = useRef(load);
  now.current = load;
  useEffect(() => {
    const ending = new AbortController();
    setState((before) => ({ ...before, problem: null, isLoading: true }));
    Promise.resolve(now.current(ending.signal)).then(
      (value) => ending.signal.aborted || setState({ value, problem: null, isLoading: false }),
      (problem) => ending.signal.aborted || setState((before) => ({ ...before, problem, isLoading: false })),
    );
    return () => ending.abort();
  }, [...inputs, tries]);
  return { ...state, again: useCallback(() => setTries((count) => count + 1), []) };
}

/** Return a value that follows another one after it has rested for some milliseconds. */
export function useRested(value, milliseconds) {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return rested;
}
