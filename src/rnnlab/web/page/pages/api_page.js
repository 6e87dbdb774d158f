// The page of the API: every route as /openapi.json describes it.

import { html, useMemo, useRef, useState } from "../preact.js";
import { get } from "../api.js";
import { Field, Loading, Trouble, useModels } from "../parts.js";
import { useLoaded, useStored } from "../state.js";

export function Api() {
  const { value, problem, again } = useLoaded((signal) => get("/openapi.json", { signal }), []);
  const [wanted, setWanted] = useStored("api:find", "");
  const models = useModels(), model = models.value?.[0] ?? "NAME";
  const routes = useMemo(() => value ? routesOf(value) : [], [value]);
  const has = ({ method, path, about }) => `${method} ${path} ${about}`.toLowerCase().includes(wanted.toLowerCase());
  const found = routes.filter(has);
  const tags = [...new Set(found.map(({ tag }) => tag))];
  return html`
    <h1>API</h1>
    ${problem && html`<${Trouble} problem=${problem} again=${again} />`}
    ${!problem && !value && html`<${Loading} what="description" />`}
    ${value && html`
      <p>${prose(value.info.description)}</p>
      <p>Programs that speak OpenAI's completions use <code>${location.origin}/v1</code> as their base address. The same
        description for machines: <a href="/openapi.json">openapi.json</a>.</p>
      <div class="controls"><${Field} label="Find" wide><input type="search" value=${wanted}
        onInput=${(event) => setWanted(event.target.value)} /><//></div>
      <p class="how" role="status">${found.length} of ${routes.length} routes, rnnlab ${value.info.version}.</p>
      ${tags.map((tag) => html`<section key=${tag} aria-label=${tag}><h2>${tag}</h2>
        ${found.filter((route) => route.tag === tag).map((route) => html`
          <${Route} key=${`${route.method} ${route.path}`} route=${route} model=${model} />`)}</section>`)}
      <section aria-label="Errors"><h2>Errors</h2>
        <p>What is refused has a status of 400 or more and one shape, OpenAI's:${" "}
          <code>${'{"error": {"message", "type", "param", "code"}}'}</code>.
          The message is one sentence that names the rule, the value and the choices.</p></section>`}`;
}

/** Return all routes of an OpenAPI document: {method, path, tag, about, keys, answers, body}. */
function routesOf(document) {
  const resolved = (schema) => schema?.$ref
    ? { ...schema.$ref.replace("#/", "").split("/").reduce((at, key) => at[key], document), ...schema } : schema ?? {};
  const routes = [];
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const body = resolved(operation.requestBody?.content?.["application/json"]?.schema);
      const parameters = (operation.parameters ?? []).map((one) => keyOf(one, one.schema, one.in, resolved));
      const inBody = Object.entries(body.properties ?? {}).map(([name, schema]) =>
        keyOf({ name, required: body.required?.includes(name) }, resolved(schema), "body", resolved));
      routes.push({
        method: method.toUpperCase(), path, body, tag: operation.tags?.[0] ?? "other",
        about: operation.description ?? "",
        keys: [...parameters, ...inBody],
        answers: Object.keys(operation.responses?.["200"]?.content ?? {}),
      });
    }
  }
  return routes;
}

function keyOf({ name, required, description }, schema, place, resolved) {
  const help = description ?? schema.description ?? "";
  const type = typeOf(schema, resolved), standard = JSON.stringify(schema.default);
  return { name, place, help, type, standard, isNeeded: required };
}

const TYPES = { string: "text", integer: "whole number", number: "number", boolean: "true or false", null: "null" };

/** Return the type of a schema in words. */
function typeOf(given, resolved) {
  const schema = resolved(given), choices = schema.anyOf ?? schema.oneOf;
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (choices) {
    return [...new Set(choices.map((one) => typeOf(one, resolved)))].filter((one) => one !== TYPES.null).join(" or ");
  }
  if (schema.type === "array") return schema.items ? `list of: ${typeOf(schema.items, resolved)}` : "list";
  if (schema.type === "object") {
    return schema.properties ? `{${Object.keys(schema.properties).join(", ")}}`
      : `object${schema.additionalProperties?.type ? ` of: ${typeOf(schema.additionalProperties, resolved)}` : ""}`;
  }
  const low = schema.minimum ?? schema.exclusiveMinimum, high = schema.maximum ?? schema.exclusiveMaximum;
  const number = (value) => Math.abs(value) > 1e15 ? value.toExponential(1) : value.toLocaleString("en");
  const range = low !== undefined && high !== undefined ? `, ${number(low)} to ${number(high)}`
    : low !== undefined ? `, ${number(low)} or more` : high !== undefined ? `, at most ${number(high)}` : "";
  return `${TYPES[schema.type] ?? "any value"}${range}`;
}

/** One route, closed until it is asked for. */
function Route({ route, model }) {
  const { method, path, about, keys, answers } = route, [first, ...more] = about.split(/(?<=\.)\s/);
  return html`<details class="route">
    <summary><b>${method}</b> <code>${path}</code> <span>${prose(first)}</span></summary>
    ${more.length > 0 && html`<p>${prose(more.join(" "))}</p>`}
    ${keys.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label=${`Keys of ${method} ${path}`}>
      <table><thead><tr><th scope="col">key</th><th scope="col">type</th><th scope="col">default</th>
        <th scope="col">what it is</th></tr></thead>
      <tbody>${keys.map((key) => html`<tr key=${key.name}>
        <th scope="row"><code>${key.name}</code>${
          key.place !== "body" && html` <small>in the ${key.place}</small>`}</th>
        <td>${key.type}</td><td>${key.isNeeded ? "needed" : key.standard && html`<code>${key.standard}</code>`}</td>
        <td>${prose(key.help)}</td></tr>`)}
      </tbody></table></div>`}
    ${answers.length > 0 && html`<p class="how">Answers ${answers.join(" or ")}.</p>`}
    <${Command} line=${curl(route, model)} />
  </details>`;
}

/** Return a text in which what stands between backquotes is code. */
function prose(text) {
  return text.split("`").map((part, at) => at % 2 ? html`<code>${part}</code>` : part);
}

/** Return a line for the shell that calls a route. */
function curl({ method, path, keys, body }, model) {
  const own = (name) => encodeURI(name === "name" ? model : "X");
  const query = keys.filter(({ name, place, isNeeded }) => place === "query" && (isNeeded || name === "model"))
    .map(({ name }) => `${name}=${encodeURIComponent(name === "model" ? model : "X")}`);
  const place = path.replace(/{(\w+)}/g, (_, name) => own(name));
  const address = `${location.origin}${place}${query.length ? `?${query.join("&")}` : ""}`;
  const parts = ["curl", ...(method === "GET" || method === "POST" ? [] : ["-X", method]), quoted(address)];
  if (sessionStorage.getItem("rnnlab:token")) parts.push('-H "authorization: Bearer $TOKEN"');
  const sent = body.properties ? JSON.stringify(example(body, model)) : "{}";
  if (body.properties || method === "POST") parts.push('-H "content-type: application/json"', "-d", quoted(sent));
  return parts.join(" ");
}

/** Return a small body: what is needed, the model, and the first key that is neither. */
function example(body, model) {
  const names = Object.keys(body.properties), first = names.find((name) => name !== "model");
  const wanted = names.filter((name) => name === "model" || name === first || body.required?.includes(name));
  const value = (name, schema) => {
    if (name === "model") return model;
    if (schema.anyOf) return value(name, schema.anyOf[0]);
    if (schema.enum) return schema.default ?? schema.enum[0];
    if (schema.type === "array") return [value("", schema.items ?? {})];
    if (schema.type === "object") return schema.default ?? {};
    if (schema.type === "string" || !schema.type) return schema.default || "The time ";
    return schema.default ?? schema.minimum ?? (schema.type === "boolean" ? true : 1);
  };
  return Object.fromEntries(wanted.map((name) => [name, value(name, body.properties[name])]));
}

function quoted(text) {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A line of the shell, and a button that copies it. */
function Command({ line }) {
  const [said, setSaid] = useState(""), place = useRef(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(line);
      setSaid("Copied.");
    } catch { // a page that did not come over https may not write there
      getSelection().selectAllChildren(place.current);
      setSaid("Selected; copy it with Ctrl-C.");
    }
  };
  return html`<div class="curl"><pre tabindex="0"><code ref=${place}>${line}</code></pre>
    <button type="button" onClick=${copy}>Copy</button><span role="status">${said}</span></div>`;
}
