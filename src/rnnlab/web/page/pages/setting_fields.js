// Fields for the settings of a run, as the server describes them.

import { html, useState } from "../preact.js";
import { Field } from "../parts.js";

/** Return the values that were given, by name, as the server takes them; fields are texts, or lists of choices. */
export function valuesOf(settings, fields) {
  const found = {};
  for (const { name, kind } of settings) {
    const field = fields[name] ?? "";
    if (field.length) found[name] = valueOf(kind, field);
  }
  return found;
}

function valueOf(kind, field) {
  if (kind === "flag") return field === "true";
  if (kind === "numbers") return field.trim().split(/[\s,]+/).map(numberOf);
  return kind === "whole" || kind === "number" ? numberOf(field) : field;
}

/** What is not a number stays a text: the server says what is wrong with it. */
function numberOf(field) {
  return field.trim() === "" || Number.isNaN(Number(field)) ? field : Number(field);
}

/** One setting; an empty field leaves it open. */
export function SettingField({ setting, value, onChange, isWrong, isChosen }) {
  const { name, kind, choices } = setting, label = name.replaceAll("_", " "), help = setting.help.replaceAll("`", "");
  const open = isChosen ? "chosen" : shownDefault(setting);
  if (kind === "several") {
    return html`<${Choices} ...${{ label, help, choices, onChange }} value=${value || []} />`;
  }
  const own = { name, value, "aria-invalid": isWrong, onInput: (event) => onChange(event.target.value) };
  const options = kind === "flag" ? [["true", "yes"], ["false", "no"]] : choices.map((one) => [one, one]);
  return html`<${Field} label=${label} note=${help}>${kind === "flag" || kind === "choice"
    ? html`<select ...${own}><option value="">${open}</option>${options.map(([key, title]) => title !== open && html`
        <option key=${key} value=${key}>${title}</option>`)}</select>`
    : html`<input ...${own} placeholder=${open} autocomplete="off" spellcheck=${false}
        inputmode=${kind === "whole" ? "numeric" : kind === "number" ? "decimal" : null} />`}<//>`;
}

function shownDefault({ kind, default: value }) {
  if (kind === "flag") return value ? "yes" : "no";
  return Array.isArray(value) ? value.join(" ") : String(value);
}

function Choices({ label, help, choices, value, onChange }) {
  const put = (one, isOn) => onChange(choices.filter((each) => (each === one ? isOn : value.includes(each))));
  return html`<fieldset class="field"><legend>${label}</legend><span class="buttons">${choices.map((one) => html`
    <label class="check" key=${one}><input type="checkbox" checked=${value.includes(one)}
      onChange=${(event) => put(one, event.target.checked)} />${one}</label>`)}
    </span><small>${help}</small></fieldset>`;
}

/** All settings but the main ones, with a search; it opens where one is wrong. */
export function AllSettings({ form, values, wrong, fieldOf, onClear, children }) {
  const [words, setWords] = useState("");
  const every = form.groups.flatMap(({ settings }) => settings.filter(({ main }) => !main));
  const given = every.filter(({ name }) => values[name]?.length).map(({ name }) => name.replaceAll("_", " "));
  const wanted = words.toLowerCase().replaceAll("_", " ").split(/\s+/);
  const fits = ({ name, help }) => {
    const text = `${name.replaceAll("_", " ")} ${help}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  };
  const groups = form.groups
    .map((group) => ({ ...group, settings: group.settings.filter((one) => every.includes(one) && fits(one)) }))
    .filter(({ settings }) => settings.length);
  return html`<details class="all-settings" open=${every.some(({ name }) => name === wrong) || null}>
    <summary>All settings${given.length > 0 && `; given: ${given.join(", ")}`}</summary>
    <div class="controls">${children}
      <button type="button" class="plain" onClick=${onClear}>Leave everything open</button></div>
    <${Field} label="Search among the settings" wide>
      <input type="search" value=${words} onInput=${(event) => setWords(event.target.value)} /><//>
    <p role="status">${words && !groups.length && "Nothing fits."}</p>
    ${groups.map(({ name, title, settings }) => html`<section key=${name}><h2>${title}</h2>
      <div class="settings-grid">${settings.map(fieldOf)}</div></section>`)}
  </details>`;
}
