// The frame's side of the handshake. No cookie, no storage: the token lives in this page's memory, and nowhere else.
'use strict';
const allowed = (document.documentElement.dataset.origins || '').split(' ').filter(Boolean);
const main = document.querySelector('main');
const RENEW_BEFORE_SECONDS = 30;
const WAITS_SECONDS = [1, 2, 4, 8, 16, 32, 60];
let bound = null; // the one origin that we talk to, once it has brought a good token
let attempt = 0;
let timer = 0;

function post(message) {
  for (const origin of bound ? [bound] : allowed) window.parent.postMessage({ v: 1, ...message }, origin);
}

function claimsOf(token) {
  try {
    const part = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    return JSON.parse(atob(part));
  } catch {
    return {};
  }
}

function askAgain(seconds) {
  clearTimeout(timer);
  timer = setTimeout(() => post({ type: 'need-token' }), seconds * 1000);
}

function show(nodes) {
  main.replaceChildren(...nodes);
  main.removeAttribute('aria-busy');
}

function fail(code) {
  post({ type: 'error', code });
  if (attempt < WAITS_SECONDS.length) {
    askAgain(WAITS_SECONDS[attempt++]);
    return;
  }
  const words = document.createElement('p');
  words.setAttribute('role', 'alert');
  words.textContent = 'The score cannot be shown now.';
  const button = document.createElement('button');
  button.textContent = 'Try again';
  button.addEventListener('click', () => { attempt = 0; post({ type: 'need-token' }); });
  show([words, button]);
}

async function load(token, claims) {
  let answer;
  try {
    answer = await fetch('/embed/v1/data/' + encodeURIComponent(claims.resource), {
      headers: { authorization: 'Bearer ' + token }, credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer',
    });
  } catch {
    return fail('UNREACHABLE');
  }
  if (!answer.ok) return fail(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  show([...page.body.childNodes].map((node) => document.importNode(node, true)));
  attempt = 0;
  askAgain(Math.max(5, claims.exp - Date.now() / 1000 - RENEW_BEFORE_SECONDS));
}

window.addEventListener('message', (event) => {
  const told = event.data;
  if (event.source !== window.parent || !allowed.includes(event.origin) || (bound && event.origin !== bound)) return;
  if (!told || told.v !== 1 || told.type !== 'token' || typeof told.token !== 'string') return;
  const claims = claimsOf(told.token);
  if (claims.origin !== event.origin) return;
  bound = event.origin;
  if (['light', 'dark'].includes(told.theme)) document.documentElement.dataset.theme = told.theme;
  load(told.token, claims);
});

new ResizeObserver(() => {
  if (bound) post({ type: 'size', height: Math.ceil(document.documentElement.getBoundingClientRect().height) });
}).observe(document.documentElement);
post({ type: 'need-token' });
