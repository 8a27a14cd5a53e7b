// Runs the script include as it stands, with stand-ins for the platform's classes whose requests are real, and prints what
// it found, what it logged and what it sent. SCRIPT, API_URL and TOKEN say what and where.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { parse } from 'acorn';

const code = readFileSync(process.env.SCRIPT, 'utf8');
parse(code, { ecmaVersion: 5 }); // throws where Rhino would

const SEND = `
const { url, init } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
fetch(url, init).then(async (answer) => console.log(JSON.stringify([answer.status, await answer.text()])));`;
const sent = [];
const logged = [];

class RESTMessageV2 {
  constructor() { this.init = { headers: {} }; }
  setEndpoint(url) { this.url = url; }
  setHttpMethod(method) { this.init.method = method.toUpperCase(); }
  setHttpTimeout() {}
  setAuthenticationProfile(kind, id) {
    if (kind !== 'oauth2' || id !== 'profile') throw new Error('no such profile');
    this.init.headers.Authorization = `Bearer ${process.env.TOKEN}`;
  }
  setRequestHeader(name, value) { this.init.headers[name] = String(value); }
  setRequestBody(body) { this.init.body = String(body); }
  execute() {
    sent.push({ accept: this.init.headers.Accept, body: JSON.parse(this.init.body) });
    const input = JSON.stringify({ url: this.url, init: this.init });
    const [status, body] = JSON.parse(execFileSync(process.execPath, ['-e', SEND], { input, timeout: 20000 }));
    return { getStatusCode: () => status, getBody: () => body };
  }
}

const properties = { 'evenhand.api_url': process.env.API_URL, 'evenhand.oauth_profile': 'profile' };
const world = {
  Class: { create: () => function Made(...given) { this.initialize(...given); } },
  gs: { getProperty: (name, otherwise) => properties[name] ?? otherwise, warn: (line) => logged.push(line) },
  sn_ws: { RESTMessageV2 },
};
const page = Number(process.env.PAGE);
const found = vm.runInNewContext(`${code}
if (${page}) { EvenhandScores.prototype.PAGE = ${page}; }
new EvenhandScores().ofServices();`, world);
console.log(JSON.stringify({ found, logged, sent }));
