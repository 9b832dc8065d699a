import { files, type Content } from '../../api/files';
import { ApiError, asError } from '../../errors';
import { decode, encode, forEditor, isBinary, unwritable, withEnding, type Encoding, type LineEnding } from '../encoding';
import { isImage } from '../icons';
import { nameOf } from '../paths';

const MIB = 1024 * 1024;
/** Larger files are shown in part. */
export const WHOLE = 4 * MIB;
const PART = MIB;
const IMAGE = 32 * MIB;

export type Shape = 'loading' | 'text' | 'part' | 'image' | 'binary' | 'failed';

/** Somebody else, or the game, has saved meanwhile. */
export interface Theirs {
  text: string;
  etag: string | null;
}

export class UnwritableError extends Error {
  constructor(readonly character: string) {
    super(character);
  }
}

/** One file as the editor has it. */
export class FileDocument {
  shape = $state<Shape>('loading');
  error = $state.raw<ApiError | null>(null);
  /** As it was read or saved last, with lines as the editor has them. */
  saved = $state.raw('');
  encoding = $state<Encoding>('utf-8');
  ending = $state<LineEnding>('lf');
  bom = $state(false);
  /** What of it was read: to tell whether saving it would change more than the text. */
  #read = $state.raw<{ encoding: Encoding; ending: LineEnding }>({ encoding: 'utf-8', ending: 'lf' });
  recoded = $derived(this.encoding !== this.#read.encoding || this.ending !== this.#read.ending);
  size = $state(0);
  /** The address of the picture. */
  picture = $state('');
  end = $state(false);
  #bytes = new Uint8Array();
  #etag: string | null = null;
  #api;

  constructor(
    server: string,
    readonly path: string
  ) {
    this.#api = files(server);
  }

  async load() {
    this.error = null;
    try {
      const content = await this.#begin();
      this.size = content.size;
      if (isImage(nameOf(this.path)) && content.size <= IMAGE) return this.#show(await this.#rest(content));
      if (isBinary(content.bytes)) {
        this.shape = 'binary';
        return;
      }
      const whole = content.size <= WHOLE;
      this.#take(whole ? await this.#rest(content) : content, null, !whole);
      this.shape = whole ? 'text' : 'part';
    } catch (thrown) {
      this.error = asError(thrown);
      this.shape = 'failed';
    }
  }

  close() {
    if (this.picture) URL.revokeObjectURL(this.picture);
  }

  /** The beginning or the end of a large file. */
  async part(end: boolean) {
    const content = await this.#api.read(this.path, end ? `bytes=-${PART}` : `bytes=0-${PART - 1}`);
    const { bytes } = content;
    // A part seldom begins where a line does.
    const from = end ? bytes.indexOf(10) + 1 : 0;
    this.#take({ ...content, bytes: bytes.subarray(from) }, this.encoding, true);
    this.end = end;
  }

  /** Reads the same bytes as another encoding. */
  readAs(encoding: Encoding) {
    this.#take({ bytes: this.#bytes, size: this.size, etag: this.#etag }, encoding, this.shape === 'part');
  }

  /** What another has saved, where that is not what was read here. */
  async theirs(): Promise<Theirs> {
    const content = await this.#rest(await this.#begin());
    const { text, ending } = decode(content.bytes, null);
    return { text: forEditor(text, ending), etag: content.etag };
  }

  textOf(content: Content): string {
    const { text, ending } = decode(content.bytes, this.encoding);
    return forEditor(text, ending);
  }

  /** Upon what was read last, or upon `theirs`; throws with status 412 where there is something newer. */
  async save(text: string, theirs: Theirs | null = null) {
    const character = unwritable(text, this.encoding);
    if (character) throw new UnwritableError(character);
    const bytes = encode(withEnding(text, this.ending), this.encoding, this.bom);
    this.#etag = await this.#api.write(this.path, new Blob([bytes]), { etag: theirs ? theirs.etag : this.#etag });
    this.#bytes = bytes;
    this.size = bytes.length;
    this.saved = text;
    this.#read = { encoding: this.encoding, ending: this.ending };
  }

  async #begin(): Promise<Content> {
    try {
      return await this.#api.read(this.path, `bytes=0-${PART - 1}`);
    } catch (thrown) {
      // Of an empty file there is no first byte.
      if (thrown instanceof ApiError && thrown.status === 416) return this.#api.read(this.path);
      throw thrown;
    }
  }

  async #rest(content: Content): Promise<Content> {
    if (content.bytes.length >= content.size) return content;
    const more = await this.#api.read(this.path, `bytes=${content.bytes.length}-`);
    // It changed between the two: all of it anew.
    if (more.etag !== content.etag || more.size !== content.size) return this.#api.read(this.path);
    const bytes = new Uint8Array(content.bytes.length + more.bytes.length);
    bytes.set(content.bytes);
    bytes.set(more.bytes, content.bytes.length);
    return { ...content, bytes };
  }

  #take(content: Content, wanted: Encoding | null, part: boolean) {
    const { text, encoding, bom, ending } = decode(content.bytes, wanted, part);
    this.#bytes = content.bytes;
    this.#etag = content.etag;
    this.encoding = encoding;
    this.bom = bom;
    this.ending = ending;
    this.#read = { encoding, ending };
    this.saved = forEditor(text, ending);
  }

  #show(content: Content) {
    this.picture = URL.createObjectURL(new Blob([content.bytes]));
    this.shape = 'image';
  }
}
