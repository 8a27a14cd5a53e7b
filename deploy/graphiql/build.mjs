// Builds the page of /graphiql: one script and one style sheet, with the licences of everything that is in them.
// Usage: npm ci --ignore-scripts && node build.mjs FOLDER (api/graphql/pages; see docs/decisions/0018-graphiql.md)
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const folder = process.argv[2];
// The fonts that come inside the style sheet are three quarters of it; the reader's own do as well.
const withoutFonts = {
  name: 'without-fonts',
  setup: (bundling) => bundling.onLoad({ filter: /graphiql\/dist\/style\.css$/ }, ({ path }) => ({
    contents: readFileSync(path, 'utf8').replace(/@font-face\s*\{[^}]*\}/g, ''),
    loader: 'css',
  })),
};
const made = await build({
  entryPoints: { graphiql: 'page.jsx' },
  outdir: folder,
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  jsx: 'automatic',
  charset: 'utf8',
  legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
  metafile: true,
  plugins: [withoutFonts],
});

const named = Object.keys(made.metafile.inputs).map((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;
const packages = [...new Set(named.filter(Boolean))].sort();
const texts = packages.map((name) => {
  const home = join('node_modules', name);
  const file = readdirSync(home).find((each) => /^licen[cs]e/i.test(each));
  const about = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const words = file && existsSync(join(home, file)) ? readFileSync(join(home, file), 'utf8').trim() : `Licence: ${about.license}`;
  return `${name} ${about.version} (${about.license})\n${'='.repeat(60)}\n\n${words.replaceAll('\r', '')}\n`;
});
writeFileSync(join(folder, 'LICENSES.txt'), texts.join('\n\n'));

const sources = Object.fromEntries(packages.map((name) => [name, {
  version: lock[`node_modules/${name}`].version,
  licence: JSON.parse(readFileSync(join('node_modules', name, 'package.json'), 'utf8')).license,
  integrity: lock[`node_modules/${name}`].integrity,
}]));
const files = ['graphiql.js', 'graphiql.css', 'LICENSES.txt'];
const digest = (name) => createHash('sha256').update(readFileSync(join(folder, name))).digest('hex');
const sums = Object.fromEntries(files.map((name) => [name, digest(name)]));
writeFileSync(join(folder, 'sources.json'), `${JSON.stringify({ sha256: sums, packages: sources }, null, 1)}\n`);
