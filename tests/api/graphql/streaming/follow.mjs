// One change over each of the two protocols, as the libraries of their authors hear it. Prints both as JSON.
import { createClient as overSse } from "graphql-sse";
import { createClient as overWebSocket } from "graphql-ws";

const { ADDRESS, TOKEN, AFTER } = process.env;
const query = `subscription ($after: String) {
  scoreChanged(filter: {}, after: $after) { cursor score { subjectLabel value } } }`;
const authorization = `Bearer ${TOKEN}`;

async function first(client) {
  for await (const result of client.iterate({ query, variables: { after: AFTER } })) {
    client.dispose();
    return result.data.scoreChanged;
  }
}

const found = await Promise.all([
  first(overWebSocket({ url: ADDRESS.replace("http", "ws"), connectionParams: { authorization }, retryAttempts: 0 })),
  first(overSse({ url: ADDRESS, headers: { authorization }, retryAttempts: 0 })),
]);
console.log(JSON.stringify(found));
