// Finance: lists the awards that wait and approves the first one; then shows what happens when the same is sent once more,
// and when somebody decides again what was decided.
//
//     EVENHAND_URL=https://evenhand.example.com EVENHAND_TOKEN=... node awards.ts
//
// Node 22.18 or newer runs TypeScript as it stands. Amounts are text: pay never goes through a floating point number.
import { Client, fetchExchange, gql } from '@urql/core';

interface Money { amount: string; currency: string }
interface Award { id: string; version: number; awardRef: string; amounts: { earned: Money } | null }
interface Waiting { awards: { totalCount: number; nodes: Award[] } }
interface Refusal { code: string; message: string; fix: string | null }
interface Approved { approveAward: { award: { state: string; version: number } | null; userErrors: Refusal[] } }

const WAITING = gql<Waiting, { first: number }>`
  query Waiting($first: Int!) {
    awards(first: $first, filter: { state: [SUBMITTED] }) {
      totalCount
      nodes { id version awardRef amounts { earned { amount currency } } }
    }
  }
`;

const APPROVE = gql<Approved, { key: string; id: string; version: number }>`
  mutation Approve($key: ID!, $id: ID!, $version: Int!) {
    approveAward(input: { idempotencyKey: $key, awardId: $id, expectedVersion: $version }) {
      award { state version }
      userErrors { code message fix }
    }
  }
`;

const client = new Client({
  url: `${process.env.EVENHAND_URL}/graphql`,
  exchanges: [fetchExchange],
  preferGetMethod: false,
  fetchOptions: () => ({ headers: { authorization: `Bearer ${process.env.EVENHAND_TOKEN}` } }),
});

async function approve(award: Award, key: string): Promise<Approved['approveAward']> {
  const { data, error } = await client.mutation(APPROVE, { key, id: award.id, version: award.version });
  // `error` is about the request: no token (401), too much at once (429), a defect. Each has a requestId to report.
  if (!data) throw error;
  return data.approveAward;
}

const { data, error } = await client.query(WAITING, { first: 50 });
if (!data) throw error;
const [first] = data.awards.nodes;
const key = crypto.randomUUID(); // one for each thing that is meant, however often it has to be sent
const done = await approve(first, key);
const same = await approve(first, key); // as after an answer that got lost: nothing happens twice
const again = await approve(first, crypto.randomUUID()); // it waits no more: an expected no is data, in userErrors
console.log(JSON.stringify({ waiting: data.awards, done, same, again }));
