/** The server that is about to be made: what was chosen, what the panel proposes, and what it says will happen. */
import * as api from '../api';
import { templates as templatesApi } from '../api/templates';
import { asError, type ApiError } from '../errors';
import type { Behaviour, CreateServer, Port, Preview, Template } from '../types';
import { readTab, writeTab } from '../storage';
import { variableWords } from '../templates/words';
import { fieldName, isMissing } from '../ui/fieldMessage';
import { fieldKey, portProblems } from './drafts';
import { runChanges, runLabel, runProblems, usual } from './runFields';
import { t } from '../i18n/i18n.svelte';

const QUIET = 300;

/** What somebody has typed, as it is kept in the tab. */
interface Typed {
  name: string;
  image: string;
  startup: string;
  memory: number;
  cpu: number;
  ports: Port[];
  values: Record<string, string>;
  pairs: { key: string; value: string }[];
  eula: boolean;
  run?: Behaviour;
  touched: { memory: boolean; ports: boolean; image: boolean; startup: boolean; run?: boolean };
}

/** The panel's "image is missing." as it says it of a field: "is missing". */
const withoutKey = (message: string, field: string): string => (message.startsWith(`${field} `) ? message.slice(field.length + 1).replace(/\.$/, '') : message);

/** What is asked for and was not given, by field. */
export const missingFields = (errors: Record<string, string>): string[] => Object.keys(errors).filter((key) => isMissing(errors[key] ?? ''));

const keyOf = (game: string) => `draft:${game}`;

/** What people call the field that the API calls `key`. */
export function labelOf(draft: Draft, key: string): string {
  if (key === 'name') return t.common.name;
  if (key === 'image') return t.create.image;
  const variable = draft.template?.variables.find((one) => key === `environment.${one.env_variable}`);
  return variable ? variableWords(draft.template?.id, variable).label : (runLabel(key) ?? fieldName(key));
}

/** Any image without a template, in the address. */
export const FREE = 'image';

export class Draft {
  template = $state.raw<Template | null>(null);
  /** True for a server from any image, without a template. */
  free = $state(false);
  name = $state('');
  image = $state('');
  startup = $state('');
  memory = $state(0);
  cpu = $state(0);
  ports = $state.raw<Port[]>([]);
  values = $state<Record<string, string>>({});
  pairs = $state<{ key: string; value: string }[]>([]);
  eula = $state(false);
  /** How it is run: as the template says, until somebody changes it. */
  run = $state.raw<Behaviour>(usual());
  #usualRun = $state.raw<Behaviour>(usual());
  blockLan = $state(false);
  /** Whether it starts as soon as it is installed. */
  start = $state(true);
  /** `auto` is where there is room. */
  nodeId = $state('local');

  /** What one has typed oneself is never replaced by a proposal. */
  touched = $state<Typed['touched']>({ memory: false, ports: false, image: false, startup: false });
  preview = $state.raw<Preview | null>(null);
  previewFailure = $state.raw<ApiError | null>(null);
  /** What the panel was last asked is not answered yet. */
  asking = $state(false);
  #answered: (() => void)[] = [];
  failure = $state.raw<ApiError | null>(null);

  chosen = $derived(this.free || this.template !== null);
  /** Without a template, or with one that brings no image, the image is the first question. */
  asksImage = $derived(this.free || this.template?.image === '');
  needsEula = $derived(this.template?.eula ?? null);
  ownProblems = $derived<Record<string, string>>({
    ...portProblems(this.ports),
    ...(this.touched.run ? runProblems(this.run) : {}),
    ...(this.name.trim() === '' ? { name: t.common.nameRequired } : {}),
    ...(this.asksImage && this.image.trim() === '' ? { image: t.create.imageRequired } : {}),
    ...(this.needsEula && !this.eula ? { acceptEula: t.create.eulaRequired } : {})
  });
  /** The API's blockers and field errors, by field. */
  errors = $derived<Record<string, string>>({
    ...Object.fromEntries((this.preview?.blockers ?? []).filter((blocker) => blocker.field).map((blocker) => [fieldKey(blocker.field ?? ''), withoutKey(blocker.message, blocker.field ?? '')])),
    ...this.previewFailure?.fields,
    ...this.failure?.fields,
    ...portProblems(this.ports)
  });
  /** Made only when the panel has said what it proposes, or cannot say. */
  ready = $derived(this.chosen && (this.preview !== null || this.previewFailure !== null) && Object.keys(this.ownProblems).length === 0 && (this.preview?.blockers.length ?? 0) === 0);

  body = $derived.by((): CreateServer => {
    const own = Object.fromEntries(this.pairs.filter((pair) => pair.key !== '').map((pair) => [pair.key, pair.value]));
    const environment = { ...own, ...this.values };
    const behaviour = this.touched.run ? runChanges(this.#usualRun, this.run) : null;
    return {
      nodeId: this.nodeId,
      ...(this.name.trim() === '' ? {} : { name: this.name.trim() }),
      ...(this.template ? { templateId: this.template.id } : {}),
      ...((this.asksImage && this.image.trim() !== '') || this.touched.image ? { image: this.image.trim() } : {}),
      ...(this.free || this.touched.startup ? { startup: this.startup } : {}),
      ...(Object.keys(environment).length > 0 ? { environment } : {}),
      ...(this.touched.ports ? { ports: this.ports } : {}),
      limits: { ...(this.touched.memory ? { memory: this.memory } : {}), ...(this.cpu > 0 ? { cpu: this.cpu } : {}) },
      ...(this.blockLan ? { blockLan: true } : {}),
      ...(this.needsEula ? { acceptEula: this.eula } : {}),
      ...(this.start ? { start: true } : {}),
      ...(behaviour ? { behaviour } : {})
    };
  });

  /** Which game the form is for, as it stands in the address; null before one is chosen. */
  game = $state<string | null>(null);
  #begun = $state('');
  #typed = $derived.by((): Typed => ({
    name: this.name,
    image: this.image,
    startup: this.startup,
    memory: this.touched.memory ? this.memory : 0,
    cpu: this.cpu,
    ports: this.touched.ports ? this.ports : [],
    values: this.values,
    pairs: this.pairs,
    eula: this.eula,
    ...(this.touched.run ? { run: this.run } : {}),
    touched: this.touched
  }));
  /** Whether there is anything to lose. */
  changed = $derived(this.game !== null && JSON.stringify(this.#typed) !== this.#begun);

  /** Begins a form, with what was typed into it before in this tab. `FREE` is any image without a template. */
  async choose(game: string) {
    this.#reset();
    if (game === FREE) this.free = true;
    else this.#fill(await templatesApi.get(game));
    this.game = game;
    this.#begun = JSON.stringify(this.#typed);
    try {
      const kept = JSON.parse(readTab(keyOf(game)) ?? 'null') as Typed | null;
      if (kept) Object.assign(this, kept);
    } catch {
      // Kept by another version of the page: begun anew.
    }
  }

  /** Keeps what was typed until the server is made or somebody leaves without it; call it in an effect. */
  keep() {
    if (this.game !== null) writeTab(keyOf(this.game), this.changed ? JSON.stringify(this.#typed) : null);
  }

  /** Forgets what was kept. */
  clear() {
    if (this.game !== null) writeTab(keyOf(this.game), null);
    this.#begun = JSON.stringify(this.#typed);
  }

  #fill(template: Template) {
    this.template = template;
    this.image = template.image;
    this.startup = template.startup;
    this.name = template.image === '' ? '' : template.name;
    this.values = Object.fromEntries(
      template.variables.filter((variable) => variable.env_variable !== template.eula?.variable).map((variable) => [variable.env_variable, variable.default_value])
    );
  }

  back() {
    this.#reset();
  }

  /** Asks what would happen; call it in an effect, it waits for a pause in typing by itself. */
  refreshPreview(): () => void {
    const body = this.body;
    const stop = new AbortController();
    this.asking = true;
    const timer = setTimeout(() => void this.#ask(body, stop.signal), QUIET);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }

  /** Sends what is shown, proposals included, so that what was shown is what is made. */
  async create() {
    this.failure = null;
    try {
      const shown = this.preview ? { nodeId: this.preview.nodeId, ports: this.ports, limits: { ...this.body.limits, memory: this.memory } } : {};
      return await api.servers.create({ ...this.body, ...shown });
    } catch (thrown) {
      this.failure = asError(thrown);
      return null;
    }
  }

  /** Waits for the answer to what is typed now. */
  answered(): Promise<void> {
    return this.asking ? new Promise((resolve) => this.#answered.push(resolve)) : Promise.resolve();
  }

  async #ask(body: CreateServer, signal: AbortSignal) {
    try {
      const preview = await api.servers.preview(body, signal);
      if (signal.aborted) return;
      this.preview = preview;
      this.previewFailure = null;
      if (!this.touched.memory) this.memory = preview.limits.memory || preview.memory.proposed;
      if (!this.touched.ports) this.ports = preview.ports;
      if (!this.touched.run) this.run = this.#usualRun = preview.behaviour;
    } catch (thrown) {
      if (!signal.aborted) this.previewFailure = asError(thrown);
    } finally {
      if (!signal.aborted) this.#settle();
    }
  }

  #settle() {
    this.asking = false;
    for (const go of this.#answered.splice(0)) go();
  }

  #reset() {
    this.#settle();
    this.game = null;
    this.template = null;
    this.free = false;
    this.name = this.image = this.startup = '';
    this.memory = this.cpu = 0;
    this.ports = [];
    this.values = {};
    this.pairs = [];
    this.eula = this.blockLan = false;
    this.start = true;
    this.run = this.#usualRun = usual();
    this.touched = { memory: false, ports: false, image: false, startup: false };
    this.preview = null;
    this.previewFailure = this.failure = null;
  }
}
