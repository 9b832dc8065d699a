/** CodeMirror as this page has it. Loaded on the editor's page only. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, defaultHighlightStyle, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, Text, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view';
import { MergeView, unifiedMergeView } from '@codemirror/merge';
import { tags } from '@lezer/highlight';
import { f } from '../texts.svelte';

const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.lineComment, tags.blockComment], color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.propertyName, tags.definition(tags.variableName), tags.tagName, tags.heading], color: 'var(--c1)' },
  { tag: [tags.string, tags.special(tags.string), tags.quote], color: 'var(--c2)' },
  { tag: [tags.keyword, tags.operatorKeyword, tags.attributeName, tags.atom, tags.bool], color: 'var(--c3)' },
  { tag: [tags.number, tags.typeName, tags.className, tags.literal], color: 'var(--c4)' },
  { tag: [tags.invalid, tags.deleted], color: 'var(--bad)' },
  { tag: tags.strong, fontWeight: 'bold' },
  { tag: tags.emphasis, fontStyle: 'italic' }
]);

const words = () => EditorState.phrases.of(f.editorPhrases as Record<string, string>);

const base = (label: string, readonly: boolean): Extension => [
  lineNumbers(),
  highlightSpecialChars(),
  drawSelection(),
  syntaxHighlighting(colours),
  syntaxHighlighting(defaultHighlightStyle, { fallback: true }),
  bracketMatching(),
  highlightSelectionMatches(),
  search({ top: true }),
  keymap.of([...searchKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap]),
  words(),
  // Lines end in \n alone: what else stands at their ends is a character, and stays.
  EditorState.lineSeparator.of('\n'),
  EditorState.readOnly.of(readonly),
  EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', autocapitalize: 'off', autocorrect: 'off' })
];

export interface Options {
  text: string;
  label: string;
  readonly: boolean;
  language: Extension;
  wrap: boolean;
  changed: (same: (text: string) => boolean) => void;
  save: () => void;
}

/** Splits as the editor does, so that texts can be compared by their lines. */
const lines = (text: string) => Text.of(text.split('\n'));

export class Editor {
  readonly view: EditorView;
  readonly #wrap = new Compartment();

  constructor(parent: HTMLElement, { text, label, readonly, language, wrap, changed, save }: Options) {
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        doc: lines(text),
        extensions: [
          // Tab leaves the editor after Escape; inside it indents.
          keymap.of([{ key: 'Mod-s', preventDefault: true, run: () => (save(), true) }, indentWithTab]),
          base(label, readonly),
          history(),
          foldGutter(),
          indentOnInput(),
          indentUnit.of('  '),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          language,
          this.#wrap.of(wrap ? EditorView.lineWrapping : []),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) changed((other) => update.state.doc.eq(lines(other)));
          })
        ]
      })
    });
  }

  get text(): string {
    return this.view.state.sliceDoc();
  }

  /** Only what is different is replaced, so that undo and the place stay. */
  set text(next: string) {
    const now = this.text;
    let from = 0;
    while (from < now.length && from < next.length && now[from] === next[from]) from += 1;
    let [to, end] = [now.length, next.length];
    while (to > from && end > from && now[to - 1] === next[end - 1]) [to, end] = [to - 1, end - 1];
    if (to > from || end > from) this.view.dispatch({ changes: { from, to, insert: lines(next.slice(from, end)) } });
  }

  wrap(on: boolean) {
    this.view.dispatch({ effects: this.#wrap.reconfigure(on ? EditorView.lineWrapping : []) });
  }

  goTo(line: number) {
    const { doc } = this.view.state;
    const at = doc.line(Math.max(1, Math.min(doc.lines, line)));
    this.view.dispatch({ selection: { anchor: at.from }, effects: EditorView.scrollIntoView(at.from, { y: 'center' }) });
    this.view.focus();
  }

  destroy() {
    this.view.destroy();
  }
}

export interface Sides {
  /** The left one cannot be changed. */
  left: string;
  right: string;
  labels: [left: string, right: string];
  language: Extension;
  /** Whether the right one can be changed, and parts of the left one be taken over. */
  editable: boolean;
}

/** In narrower places two texts are one below the other, in pixels. */
const NARROW = 640;
const SIDES = { collapseUnchanged: { margin: 3, minSize: 6 }, diffConfig: { scanLimit: 2000, timeout: 500 } };

/** Two texts beside each other, or in one where there is no room for that. */
export class Comparison {
  readonly #view: { destroy: () => void };
  readonly #right: EditorView;

  constructor(parent: HTMLElement, { left, right, labels, language, editable }: Sides) {
    if (parent.clientWidth < NARROW) {
      const one = unifiedMergeView({ original: lines(left), mergeControls: editable, gutter: true, ...SIDES });
      this.#view = this.#right = new EditorView({ parent, doc: lines(right), extensions: [base(labels[1], !editable), history(), language, EditorView.lineWrapping, one] });
      return;
    }
    const view = new MergeView({
      parent,
      a: { doc: lines(left), extensions: [base(labels[0], true), language, EditorView.lineWrapping] },
      b: { doc: lines(right), extensions: [base(labels[1], !editable), history(), language, EditorView.lineWrapping] },
      ...SIDES,
      ...(editable ? { revertControls: 'a-to-b' as const } : {})
    });
    this.#view = view;
    this.#right = view.b;
  }

  get right(): string {
    return this.#right.state.sliceDoc();
  }

  destroy() {
    this.#view.destroy();
  }
}
