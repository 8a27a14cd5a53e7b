// GraphiQL for Evenhand: a bar with a token and examples above the editor. The token stays in this page's memory.
import 'graphiql/style.css';
import './page.css';
import { GraphiQL } from 'graphiql';
import { buildClientSchema, getIntrospectionQuery } from 'graphql';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

const TYPE = 'application/graphql-response+json';
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

async function send(token, body) {
  const headers = { 'content-type': 'application/json', accept: TYPE };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch('/graphql', {
    method: 'POST', headers, body: JSON.stringify(body), credentials: 'omit', referrerPolicy: 'no-referrer',
  });
  return answer.json();
}

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
        fetcher={(body) => send(token, body)}
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
