// What the program is made of: a CycloneDX list of all crates and npm packages in it, and the licences that they ask to be
// passed on with it. Needs the built page (web/.svelte-kit/bundled.json says whose packages are in it) and cargo.
//
//   node packaging/sbom.mjs VERSION SECONDS SBOM LICENCES TRIPLE…
//
// SECONDS since 1970 stand for the sources, so that the same sources give the same bytes.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [version, seconds, sbomPath, licencesPath, ...triples] = process.argv.slice(2);
if (triples.length === 0) {
  console.error('usage: sbom.mjs VERSION SECONDS SBOM LICENCES TRIPLE…');
  process.exit(2);
}

/** Licence files as packages name them. */
const LICENCE_FILE = /^(un)?(licen[cs]e|copying|notice|copyright)s?([-._].*)?$/i;

function licenceTexts(folder) {
  return readdirSync(folder)
    .filter((name) => LICENCE_FILE.test(name) && statSync(join(folder, name)).isFile())
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8').replace(/\r/g, '').trim() }));
}

/** The crates that are linked into the program for these machines, by the graph that cargo resolved. */
function crates() {
  const found = new Map();
  for (const triple of triples) {
    const metadata = JSON.parse(
      execFileSync('cargo', ['metadata', '--locked', '--format-version', '1', '--filter-platform', triple], {
        cwd: root,
        maxBuffer: 1 << 28
      })
    );
    const packages = new Map(metadata.packages.map((each) => [each.id, each]));
    const nodes = new Map(metadata.resolve.nodes.map((each) => [each.id, each]));
    const start = metadata.resolve.root ?? metadata.packages.find((each) => each.name === 'ctrl-alt-play').id;
    const todo = [start];
    const seen = new Set(todo);
    while (todo.length > 0) {
      const id = todo.pop();
      const crate = packages.get(id);
      // A macro runs while this is built; nothing of it or of what it uses is linked.
      if (crate.targets.some((target) => target.kind.includes('proc-macro'))) continue;
      if (crate.source) found.set(id, crate);
      for (const dep of nodes.get(id).deps) {
        const linked = dep.dep_kinds.some((kind) => kind.kind === null);
        if (linked && !seen.has(dep.pkg)) {
          seen.add(dep.pkg);
          todo.push(dep.pkg);
        }
      }
    }
  }
  const checksums = new Map();
  for (const part of readFileSync(join(root, 'Cargo.lock'), 'utf8').split('[[package]]')) {
    const field = (name) => new RegExp(`^${name} = "(.*)"$`, 'm').exec(part)?.[1];
    if (field('checksum')) checksums.set(`${field('name')} ${field('version')}`, field('checksum'));
  }
  return [...found.values()].map((crate) => ({
    kind: 'cargo',
    name: crate.name,
    version: crate.version,
    // An old way to write "or".
    licence: crate.license?.replaceAll('/', ' OR ').replace(/\s+/g, ' '),
    sha256: checksums.get(`${crate.name} ${crate.version}`),
    authors: crate.authors,
    texts: licenceTexts(dirname(crate.manifest_path))
  }));
}

/** The npm packages whose code or styles are in the page. */
function npmPackages() {
  const list = join(root, 'web/.svelte-kit/bundled.json');
  if (!existsSync(list)) throw new Error(`${list} is not there: build the page first (npm --prefix web run build)`);
  return JSON.parse(readFileSync(list, 'utf8')).map((name) => {
    const folder = join(root, 'web/node_modules', name);
    const told = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const texts = licenceTexts(folder);
    const author = typeof told.author === 'object' ? told.author?.name : told.author;
    return {
      kind: 'npm',
      name,
      version: told.version,
      // Some name none there, but bring its text.
      licence: told.license ?? (texts.some(({ text }) => /^(The )?MIT License\b/i.test(text)) ? 'MIT' : undefined),
      authors: author ? [author] : [],
      texts
    };
  });
}

/** What a static program carries beside them. Their texts are the ones that the systems they come from install. */
function runtime() {
  const rust = /^rustc (\S+)/.exec(execFileSync('rustc', ['--version'], { encoding: 'utf8' }))[1];
  const text = (name, ...paths) => {
    const path = paths.find((each) => existsSync(each));
    return path ? [{ name, text: readFileSync(path, 'utf8').trim() }] : [];
  };
  const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
  return [
    {
      kind: 'generic',
      name: 'rust-std',
      version: rust,
      licence: 'MIT OR Apache-2.0',
      authors: ['The Rust Project Developers'],
      texts: text('COPYRIGHT', join(sysroot, 'share/doc/rust/COPYRIGHT'), '/usr/share/doc/rustc-web/copyright')
    },
    {
      kind: 'generic',
      name: 'glibc',
      version: /\s(\S+)$/.exec(execFileSync('ldd', ['--version'], { encoding: 'utf8' }).split('\n')[0])[1],
      licence: 'LGPL-2.1-or-later',
      authors: ['The GNU C Library authors; linked statically, from Debian (its sources: package glibc)'],
      texts: [
        ...text('copyright', '/usr/share/doc/libc6-dev/copyright', '/usr/share/doc/libc6/copyright'),
        ...text('LGPL-2.1', '/usr/share/common-licenses/LGPL-2.1')
      ]
    }
  ];
}

const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1);
const parts = [...crates().sort(byName), ...npmPackages().sort(byName), ...runtime()];
const purl = (part) => `pkg:${part.kind}/${part.name.replace('@', '%40')}@${part.version}`;

/** CycloneDX wants known words, or expressions of them. */
function licences(part) {
  if (!part.licence) return undefined;
  return [{ expression: part.licence }];
}

const own = `pkg:generic/ctrl-alt-play@${version}`;
const at = new Date(Number(seconds) * 1000).toISOString().replace('.000', '');
const hash = createHash('sha256').update(parts.map(purl).join('\n')).update(version).digest('hex');
const uuid = hash.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-a$4-$5');
const sbom = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  serialNumber: `urn:uuid:${uuid}`,
  version: 1,
  metadata: {
    timestamp: at,
    component: { type: 'application', 'bom-ref': own, name: 'ctrl-alt-play', version, purl: own, licenses: [{ license: { id: 'MIT' } }] }
  },
  components: parts.map((part) => ({
    type: 'library',
    'bom-ref': purl(part),
    name: part.name,
    version: part.version,
    purl: purl(part),
    licenses: licences(part),
    hashes: part.sha256 ? [{ alg: 'SHA-256', content: part.sha256 }] : undefined
  })),
  dependencies: [{ ref: own, dependsOn: parts.map(purl) }]
};
writeFileSync(sbomPath, `${JSON.stringify(sbom, null, 1)}\n`);

// One text that many share is told once, with all who have it.
const texts = new Map();
const without = [];
for (const part of parts) {
  const title = `${part.name} ${part.version} (${part.licence ?? 'see its text'})`;
  if (part.texts.length === 0) {
    const by = part.authors.length > 0 ? `, by ${part.authors.join(', ')}` : '';
    without.push(`${title}${by}`);
  }
  for (const { text } of part.texts) {
    const key = text.replace(/\s+/g, ' ');
    if (!texts.has(key)) texts.set(key, { text, who: [] });
    const { who } = texts.get(key);
    if (!who.includes(title)) who.push(title);
  }
}
const line = '='.repeat(100);
const mit = readFileSync(join(root, 'LICENSE'), 'utf8').split('\n\n').slice(2).join('\n\n').trim();
const out = [
  // MPL-2.0 asks for the place of the sources; that it is told of all of them costs nothing.
  `Ctrl-Alt-Play ${version} is under the MIT licence. It contains the works below, each under its own. The sources of each crate and npm package below are in the public registry of its kind, under this name and version; nothing of them was changed.`,
  `These bring no text of their own along; where one of their licences is MIT, the text is:\n\n${mit}\n\n${without.map((each) => `  ${each}`).join('\n')}`,
  ...[...texts.values()].map(({ text, who }) => `${who.map((each) => `  ${each}`).join('\n')}\n\n${text}`)
];
writeFileSync(licencesPath, `${out.join(`\n\n${line}\n\n`)}\n`);
console.error(
  `${parts.length} parts (${parts.filter((part) => part.kind === 'cargo').length} crates, ` +
    `${parts.filter((part) => part.kind === 'npm').length} npm packages), ${texts.size} texts, ${without.length} without one`
);
