// Runs the audits of graphql-http against the address in AUDIT_URL, one after the other, and prints one JSON list.
import { serverAudits } from 'graphql-http';

const headers = { authorization: `Bearer ${process.env.AUDIT_TOKEN}` };
const fetchFn = (url, init = {}) => fetch(url, { ...init, headers: { ...headers, ...init.headers } });
const results = [];
for (const audit of serverAudits({ url: process.env.AUDIT_URL, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason });
}
console.log(JSON.stringify(results));
