/** How a file is coloured, by its name. Each language is loaded when a file of it is opened. */
import { LanguageSupport, StreamLanguage, type StreamParser } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { endingOf } from '../paths';

const legacy = <T>(parser: StreamParser<T>) => new LanguageSupport(StreamLanguage.define(parser));

/** Lines of a log: times, levels, names in brackets. */
const LOG: StreamParser<unknown> = {
  token(stream) {
    if (stream.sol() && stream.match(/^\[?\d[\d:.\-T ,+Z]{5,}\]?/)) return 'comment';
    if (stream.match(/^\b(FATAL|SEVERE|ERROR|Error|Exception|Caused by)\b/)) return 'invalid';
    if (stream.match(/^\b(WARN(ING)?)\b/)) return 'keyword';
    if (stream.match(/^\b(INFO|DEBUG|TRACE)\b/)) return 'number';
    if (stream.match(/^"[^"]*"/)) return 'string';
    if (stream.match(/^\w+/)) return null;
    stream.next();
    return null;
  }
};

const LOADERS: Record<string, () => Promise<LanguageSupport>> = {
  properties: async () => legacy((await import('@codemirror/legacy-modes/mode/properties')).properties),
  toml: async () => legacy((await import('@codemirror/legacy-modes/mode/toml')).toml),
  lua: async () => legacy((await import('@codemirror/legacy-modes/mode/lua')).lua),
  shell: async () => legacy((await import('@codemirror/legacy-modes/mode/shell')).shell),
  yaml: async () => (await import('@codemirror/lang-yaml')).yaml(),
  json: async () => (await import('@codemirror/lang-json')).json(),
  xml: async () => (await import('@codemirror/lang-xml')).xml(),
  javascript: async () => (await import('@codemirror/lang-javascript')).javascript(),
  typescript: async () => (await import('@codemirror/lang-javascript')).javascript({ typescript: true }),
  java: async () => (await import('@codemirror/lang-java')).java(),
  log: () => Promise.resolve(legacy(LOG))
};

const BY_ENDING: Record<string, string> = {
  properties: 'properties', ini: 'properties', cfg: 'properties', conf: 'properties', env: 'properties', lang: 'properties', toml: 'toml', lua: 'lua',
  sh: 'shell', bash: 'shell', yml: 'yaml', yaml: 'yaml', json: 'json', json5: 'javascript', mcmeta: 'json', xml: 'xml', html: 'xml', svg: 'xml',
  js: 'javascript', mjs: 'javascript', cjs: 'javascript', ts: 'typescript', java: 'java', log: 'log'
};

export async function languageOf(name: string): Promise<Extension> {
  const known = BY_ENDING[endingOf(name)] ?? (name === '.env' ? 'properties' : undefined);
  return known ? ((await LOADERS[known]?.()) ?? []) : [];
}
