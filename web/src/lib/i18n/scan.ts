/** Finds texts for people in a source of the page that do not come from the catalogue. For the tests only. */
import { parse } from 'svelte/compiler';
import ts from 'typescript';

const LETTERS = /\p{L}{2,}/u;
/** Attributes that people see or hear. */
const SHOWN = new Set(['title', 'label', 'aria-label', 'aria-valuetext', 'placeholder', 'hint', 'text', 'what', 'action', 'alt', 'error']);
/** Elements whose content is the same in every language: commands, keys. */
const CODE = new Set(['code', 'kbd', 'style', 'script']);
/** Names, and what machines read. */
const SAME_EVERYWHERE = [
  /^Ctrl-Alt-Play/,
  /^(Docker( ¤| API)?|CPU|BOM|https:\/\/|TCP|UDP|MB|Ctrl K|ctrl|alt|play ▸|AbortError|ApiError)$/,
  /^(Edge|Opera|Firefox|Chrome|Safari|Android|Windows|ChromeOS|Linux|English|Deutsch)$/,
  /^(Arrow(Up|Down|Left|Right)|Escape|Enter|End|Home|Page(Up|Down)|Tab|Backspace|Delete)$/,
  /^[A-Z][\w-]*-[\w-]+$/,
  /^\(prefers-[\w-]+: \w+\)$/,
  /^(Files$|rgb\(|row ¤|do $|do$|since ¤$)/
];

const isSame = (text: string) => SAME_EVERYWHERE.some((known) => known.test(text.trim()));

/** Whether a string of the code is one that is read by people: words with a space between them, or a capital letter first. */
function isForPeople(text: string): boolean {
  const trimmed = text.trim();
  if (!LETTERS.test(trimmed) || isSame(trimmed)) return false;
  return /\p{L}{2,}[,.:;’]?\s+\p{L}/u.test(trimmed) || /^\p{Lu}\p{Ll}/u.test(trimmed) || (/…/.test(trimmed) && LETTERS.test(trimmed)) || /^\s+\p{Ll}{2,}|\p{Ll}{2,}\s+$/u.test(text);
}

interface Node {
  type: string;
  start: number;
  [key: string]: unknown;
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

class Scan {
  found: string[] = [];
  constructor(
    private readonly file: string,
    private readonly source: string
  ) {}

  add(at: number, text: string) {
    const line = this.source.slice(0, at).split('\n').length;
    this.found.push(`${this.file}:${line}: ${text.trim().replace(/\s+/g, ' ')}`);
  }

  code(value: unknown) {
    if (Array.isArray(value)) value.forEach((one) => this.code(one));
    else if (isNode(value)) this.#expression(value);
  }

  #expression(node: Node) {
    if (node.type === 'ImportDeclaration' || node.type === 'ThrowStatement' || node.type === 'NewExpression') {
      // What is thrown here is a fault of ours, for whoever reads the browser's console.
      if (node.type !== 'NewExpression' || isNode(node.callee) === false || /^(Error|RegExp|URL)$/.test(String((node.callee as Node).name))) return;
    }
    if (/^TS(Type|Interface|Literal)/.test(node.type) && !/^TS(As|NonNull|Satisfies)/.test(node.type)) return;
    if (node.type === 'Literal') {
      if (typeof node.value === 'string' && isForPeople(node.value)) this.add(node.start, node.value);
      return;
    }
    if (node.type === 'TemplateLiteral') {
      const text = (node.quasis as { value: { cooked: string } }[]).map((part) => part.value.cooked).join('¤');
      if (/(^|[¤\s(])\p{L}{2,}[^=]*[\s]|\s\p{L}{2,}/u.test(text) && !isSame(text) && !/^[\w[]*[="#:/]/.test(text)) this.add(node.start, text);
      this.code(node.expressions);
      return;
    }
    for (const [key, value] of Object.entries(node)) if (key !== 'loc') this.code(value);
  }

  markup(value: unknown) {
    if (Array.isArray(value)) return value.forEach((one) => this.markup(one));
    if (!isNode(value)) return;
    if (value.type === 'Comment' || (value.type === 'RegularElement' && CODE.has(String(value.name)))) return;
    if (value.type === 'Text') {
      const data = String(value.data);
      if (LETTERS.test(data) && !isSame(data)) this.add(value.start, data);
      return;
    }
    for (const attribute of (value.attributes as Node[] | undefined) ?? []) this.#attribute(attribute);
    for (const key of ['expression', 'test', 'declaration', 'parameters']) this.code(value[key]);
    for (const key of ['fragment', 'body', 'consequent', 'alternate', 'fallback', 'nodes']) this.markup(key === 'nodes' ? value.nodes : value[key]);
  }

  #attribute(attribute: Node) {
    if (attribute.type !== 'Attribute') return this.code(attribute.expression);
    if (/^(class|style|id|href|type)$/.test(String(attribute.name))) return;
    const parts = (Array.isArray(attribute.value) ? attribute.value : [attribute.value]) as unknown[];
    for (const part of parts) {
      if (!isNode(part)) continue;
      if (part.type === 'Text') {
        if (SHOWN.has(String(attribute.name)) && LETTERS.test(String(part.data)) && !isSame(String(part.data))) this.add(part.start, String(part.data));
      } else this.code(part.expression);
    }
  }
}

/** Each as `file:line: text`. */
export function foreignTexts(file: string, source: string): string[] {
  const scan = new Scan(file, source);
  if (file.endsWith('.svelte')) {
    const ast = parse(source, { modern: true }) as unknown as { instance: { content: unknown } | null; module: { content: unknown } | null; fragment: unknown };
    scan.code(ast.instance?.content);
    scan.code(ast.module?.content);
    scan.markup(ast.fragment);
    return scan.found;
  }
  // The same tree for both kinds of files: a script is a component without markup.
  const script = ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, removeComments: false } }).outputText;
  return foreignTexts(`${file}.svelte`, `<script>\n${script.replaceAll('</script', '<\\/script')}</script>`).map((one) => one.replace(/\.svelte:\d+:/, ':'));
}
