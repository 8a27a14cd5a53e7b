// GraphiQL for Evenhand: a bar with a token and examples above the editor. The token stays in this page's memory.
import 'graphiql/style.css';
import './page.css';
import { GraphiQL } from 'graphiql';
import { buildClientSchema, getIntrospectionQuery, getOperationAST, parse } from 'graphql';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

const TYPE = 'application/graphql-response+json';
const EVENTS = 'text/event-stream';
const WELCOME = '# Give a token above, choose an example, and press the triangle.\n\n{ viewer { roles person { name } } }\n';

// What GraphiQL would keep in localStorage (queries, tabs, history) ends with the page.
const kept = new Map();
const memory = {
  get length() { return kept.size; },
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => { kept.set(key, value); },
  removeItem: (key) => { kept.delete(key); },
  clear: () => { kept.clear(); },
};

function post(token, body, accept, signal) {
  const headers = { 'content-type': 'application/json', accept };
  if (token) headers.authorization = `Bearer ${token}`;
  return fetch('/graphql', {
    method: 'POST', headers, body: JSON.stringify(body), credentials: 'omit', referrerPolicy: 'no-referrer', signal,
  });
}

async function send(token, body) {
  return (await post(token, body, TYPE)).json();
}

// Answers of a subscription, one after the other (GraphQL over SSE): an event is lines, and ends with an empty one.
async function* events(token, body, signal) {
  const answer = await post(token, body, EVENTS, signal);
  if (!answer.headers.get('content-type').startsWith(EVENTS)) {
    yield await answer.json();
    return;
  }
  let text = '';
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const whole = text.split('\n\n');
    text = whole.pop();
    for (const event of whole) {
      const lines = event.split('\n').map((line) => line.split(/: ?(.*)/s));
      const data = lines.filter(([name]) => name === 'data').map(([, value]) => value).join('\n');
      if (lines.some(([name, value]) => name === 'event' && value === 'next')) yield JSON.parse(data);
    }
  }
}

function follow(token, body) {
  const stop = new AbortController();
  const found = events(token, body, stop.signal);
  return {
    [Symbol.asyncIterator]() { return this; },
    next: () => found.next().catch((wrong) => {
      if (stop.signal.aborted) return { done: true };
      throw wrong;
    }),
    // The line is cut at once; a generator alone would wait for the next event before it ends.
    return: async () => { stop.abort(); return { done: true }; },
  };
}

// GraphiQL knows the document only a moment after it was typed, so it is read here.
function kindOf({ query, operationName }) {
  try {
    return getOperationAST(parse(query), operationName)?.operation;
  } catch {
    return undefined; // the server says better what is wrong with it
  }
}

const fetcher = (token) => (body) => (kindOf(body) === 'subscription' ? follow : send)(token, body);

async function schemaFor(token) {
  const query = getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true });
  const answer = await send(token, { query, operationName: 'IntrospectionQuery' });
  if (!answer.data) throw new Error(answer.what || answer.errors?.[0]?.message || 'No schema came.');
  return buildClientSchema(answer.data);
}

function Page() {
  const [token, setToken] = useState('');
  const [schema, setSchema] = useState(null);
  const [said, setSaid] = useState('');
  const [examples, setExamples] = useState([]);
  const [query, setQuery] = useState(WELCOME);

  useEffect(() => {
    fetch('/graphiql/examples.json').then((answer) => answer.json()).then(setExamples);
  }, []);
  useEffect(() => {
    setSchema(null);
    setSaid('');
    if (!token) return undefined;
    let current = true;
    schemaFor(token).then(
      (found) => { if (current) { setSchema(found); setSaid('The schema is here.'); } },
      (wrong) => { if (current) setSaid(wrong.message); },
    );
    return () => { current = false; };
  }, [token]);

  const groups = Map.groupBy(examples, (example) => example.role);
  const choose = (event) => {
    const chosen = examples.find((example) => example.name === event.target.value);
    if (chosen) setQuery(chosen.text);
  };
  return (
    <>
      <header className="bar">
        <h1>Evenhand</h1>
        <label>
          Token
          <input
            id="token" type="password" autoComplete="off" spellCheck="false" value={token}
            placeholder="evenhand token employee" onChange={(event) => setToken(event.target.value.trim())}
          />
        </label>
        <label>
          Example
          <select id="example" defaultValue="" onChange={choose}>
            <option value="">choose</option>
            {[...groups].map(([role, listed]) => (
              <optgroup key={role} label={role}>
                {listed.map((each) => <option key={each.name} value={each.name}>{each.title}</option>)}
              </optgroup>
            ))}
          </select>
        </label>
        <output id="said" aria-live="polite">{said}</output>
      </header>
      <GraphiQL
        fetcher={fetcher(token)}
        schema={schema}
        query={query}
        onEditQuery={setQuery}
        storage={memory}
        shouldPersistHeaders={false}
        isHeadersEditorEnabled={false}
        forcedTheme="light"
      >
        <GraphiQL.Logo><span /></GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

createRoot(document.getElementById('page')).render(<Page />);
