// The page Write: the text box is the text of a model, which writes on from any place of it.

import { html, useRef, useState } from "../preact.js";
import { Empty, Loading, Trouble, useModels } from "../parts.js";
import { useStored } from "../state.js";
import { Column } from "./write_column.js";
import { DEFAULTS, Settings, asOptions, faultsOf } from "./write_settings.js";

const NOTHING = { text: "", bits: new Float32Array(), perCharacter: null };

export function Write({ query }) {
  const models = useModels(), [settings, setSettings] = useStored("write:settings", DEFAULTS);
  const [hasTwo, setHasTwo] = useStored("write:two", false), [leader, setLeader] = useState(NOTHING);
  const first = useRef(null), second = useRef(null), now = useRef(settings);
  now.current = settings;
  if (models.problem) return html`<h1>Write</h1><${Trouble} problem=${models.problem} again=${models.again} />`;
  if (!models.value) return html`<h1>Write</h1><${Loading} what="models" />`;
  if (!models.value.length) {
    return html`<h1>Write</h1><${Empty} title="No model yet">
      <p>A model writes here as soon as a run has its first weights. <a href="#/runs">Train the first one</a>.</p><//>`;
  }
  const options = () => asOptions(now.current), [fault = ""] = Object.values(faultsOf(settings));
  const writeBoth = () => {
    if (fault) return;
    const prefix = first.current.prefix();
    first.current.write(prefix);
    second.current.write(prefix);
  };
  return html`
    <h1>Write</h1>
    <${Settings} settings=${settings} setSettings=${setSettings} />
    <div class="controls">
      <label class="check"><input type="checkbox" checked=${hasTwo}
        onChange=${(event) => setHasTwo(event.target.checked)} />A second model next to it</label>
      ${hasTwo && html`<button type="button" aria-disabled=${Boolean(fault)}
        aria-describedby=${fault ? "write-a-why" : null} onClick=${writeBoth}>Write with both</button>`}
    </div>
    <div class=${hasTwo ? "columns two" : "columns"}>
      <${Column} id="a" title="Model" models=${models} asked=${query.get("model")} options=${options} fault=${fault}
        handle=${first} leader=${null} onReading=${hasTwo ? setLeader : null} />
      ${hasTwo && html`<${Column} id="b" title="Second model" models=${models} options=${options} fault=${fault}
        handle=${second} leader=${leader} />`}
    </div>`;
}
