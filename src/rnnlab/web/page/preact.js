// Preact with htm in the place of JSX: what pages import. index.html says where "preact" is.

import { h } from "preact";
import htm from "./vendor/htm.mjs";

export const html = htm.bind(h);
export { Component, createContext, h, render } from "preact";
export * from "./vendor/hooks.mjs";
