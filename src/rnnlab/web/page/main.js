// The frame of the lab: its tabs, and the page that the address names.

import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./preact.js";
import { get, setToken, watchToken } from "./api.js";
import { Field, Loading, Trouble } from "./parts.js";
import { useLoaded } from "./state.js";

/** Tabs by the first word of the address, and the file and component of each. */
const PAGES = {
  runs: { title: "Runs", load: () => import("./pages/runs.js"), component: "Runs" },
  write: { title: "Write", load: () => import("./pages/write.js"), component: "Write" },
  inside: { title: "Inside", load: () => import("./pages/inside.js"), component: "Inside" },
  score: { title: "Score", load: () => import("./pages/score.js"), component: "Score" },
  experiments: { title: "Experiments", load: () => import("./pages/experiments.js"), component: "Experiments" },
  api: { title: "API", load: () => import("./pages/api_page.js"), component: "Api" },
};

/** Return what an address such as #/runs/a/b?tab=curves names. */
function routeOf(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first, ...rest] = path.split("/").map(decoded), isKnown = !first || Object.hasOwn(PAGES, first);
  if (!isKnown) return { page: "runs", name: "", query: new URLSearchParams(), unknown: first };
  return { page: first || "runs", name: rest.join("/"), query: new URLSearchParams(query) };
}

/** Return a part of an address; one that is wrongly encoded as it is. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function useRoute() {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

function Lab() {
  const route = useRoute(), main = useRef(null), isFirst = useRef(true);
  const [needsToken, setNeedsToken] = useState(false);
  useEffect(() => {
    const ended = watchToken(setNeedsToken);
    get("/health").catch(() => {}); // says whether a token is needed
    return ended;
  }, []);
  useEffect(() => {
    document.title = `${route.name || PAGES[route.page].title} · rnnlab`;
    if (!isFirst.current) main.current.focus();
    isFirst.current = false;
  }, [route.page, route.name]);
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>To the content</a>
    <header class="frame">
      <a class="brand" href="#/runs">rnnlab</a>
      <nav aria-label="Pages"><ul>
        ${Object.entries(PAGES).map(([name, { title }]) => html`
          <li key=${name}><a href=${`#/${name}`} aria-current=${name === route.page ? "page" : null}>${title}</a></li>`)}
      </ul></nav>
    </header>
    <main id="main" tabindex="-1" ref=${main}>
      ${route.unknown && html`<${Trouble} problem=${{
        message: `There is no page of this name: ${route.unknown}. Here are the runs.` }} />`}
      ${needsToken ? html`<${TokenForm} />` : html`<${Page} key=${route.page} route=${route} />`}
    </main>`;
}

/** The page of a route; what goes wrong in its code is shown in its place. */
function Page({ route }) {
  const { load, component } = PAGES[route.page];
  const { value, problem } = useLoaded(load, [route.page]);
  const [fault, again] = useErrorBoundary();
  if (fault) console.error(fault);
  if (fault || problem) return html`<${Trouble} problem=${fault ?? problem} again=${fault && again} />`;
  if (!value) return html`<${Loading} what="page" />`;
  return html`<${value[component]} name=${route.name} query=${route.query} />`;
}

function TokenForm() {
  const [token, setValue] = useState(""), [problem, setProblem] = useState(null);
  const send = (event) => {
    event.preventDefault();
    setToken(token.trim()).catch(setProblem);
  };
  return html`
    <h1>Token</h1>
    <p>This server asks for the token that <code>rnnlab serve --token</code> was given. It is kept until this tab is closed.</p>
    <form class="controls" onSubmit=${send}>
      <${Field} label="Token"><input type="password" autocomplete="off" required value=${token}
        onInput=${(event) => setValue(event.target.value)} /><//>
      <button class="main" type="submit">Go on</button>
    </form>
    ${problem && html`<${Trouble} problem=${problem.status === 401 ? new Error("This is not the token.") : problem} />`}`;
}

render(html`<${Lab} />`, document.body);
