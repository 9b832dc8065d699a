/** The server that is about to be made: what was chosen, what the panel proposes, and what it says will happen. */
import * as api from '../api';
import { asError, type ApiError } from '../errors';
import type { CreateServer, Port, Preview, Template, TemplateSummary } from '../types';
import { fieldKey, portProblems } from './drafts';
import { t } from '../i18n/i18n.svelte';

const QUIET = 300;

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
  blockLan = $state(false);
  /** `auto` is where there is room. */
  nodeId = $state('local');

  /** What one has typed oneself is never replaced by a proposal. */
  touched = $state({ memory: false, ports: false, image: false, startup: false });
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
    ...(this.name.trim() === '' ? { name: t.common.nameRequired } : {}),
    ...(this.asksImage && this.image.trim() === '' ? { image: t.create.imageRequired } : {}),
    ...(this.needsEula && !this.eula ? { acceptEula: t.create.eulaRequired } : {})
  });
  /** The API's blockers and field errors, by field. */
  errors = $derived<Record<string, string>>({
    ...Object.fromEntries((this.preview?.blockers ?? []).filter((blocker) => blocker.field).map((blocker) => [fieldKey(blocker.field ?? ''), blocker.message])),
    ...this.failure?.fields,
    ...portProblems(this.ports)
  });
  /** Made only when the panel has said what it proposes, or cannot say. */
  ready = $derived(this.chosen && (this.preview !== null || this.previewFailure !== null) && Object.keys(this.ownProblems).length === 0 && (this.preview?.blockers.length ?? 0) === 0);

  body = $derived.by((): CreateServer => {
    const own = Object.fromEntries(this.pairs.filter((pair) => pair.key !== '').map((pair) => [pair.key, pair.value]));
    const environment = { ...own, ...this.values };
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
      ...(this.needsEula ? { acceptEula: this.eula } : {})
    };
  });

  async choose(summary: TemplateSummary | null) {
    this.#reset();
    if (summary === null) {
      this.free = true;
      return;
    }
    const template = await api.templates.get(summary.id);
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
    this.template = null;
    this.free = false;
    this.name = this.image = this.startup = '';
    this.memory = this.cpu = 0;
    this.ports = [];
    this.values = {};
    this.pairs = [];
    this.eula = this.blockLan = false;
    this.touched = { memory: false, ports: false, image: false, startup: false };
    this.preview = null;
    this.previewFailure = this.failure = null;
  }
}
