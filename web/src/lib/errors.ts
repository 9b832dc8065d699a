/** What went wrong with a call, in words for the person in front of the page. */
import { t } from './i18n/i18n.svelte';
import { inOurWords } from './i18n/sentences';
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly fields: Record<string, string> = {},
    readonly retryAfter: number | null = null,
    /** The panel's own sentence, which is English whatever the page speaks. */
    readonly original = message
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** What to do next, where we know it. */
  get hint(): string {
    if (this.code === 'too_many_requests' && this.retryAfter) {
      return t.errors.waitSeconds(this.retryAfter);
    }
    return (t.errors.hints as Record<string, string>)[this.code] ?? '';
  }
}

/** Reads the error body of an answer; takes anything, as a proxy in between may answer too. */
export function errorFrom(body: unknown, status: number, retryAfter: string | null = null): ApiError {
  const error = (body as { error?: { code?: unknown; message?: unknown; fields?: unknown } } | null | undefined)?.error;
  const seconds = retryAfter && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null;
  if (error && typeof error.code === 'string' && typeof error.message === 'string') {
    return new ApiError(error.code, t.errors.sentences[error.code] ?? inOurWords(error.message), status, fieldsOf(error.fields), seconds, error.message);
  }
  if (status === 429) return new ApiError('too_many_requests', t.errors.tooOften, status, {}, seconds);
  return new ApiError('unexpected', t.errors.unexpectedStatus(status), status);
}

function fieldsOf(fields: unknown): Record<string, string> {
  if (typeof fields !== 'object' || fields === null) return {};
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value)]));
}

/** Whatever was thrown, as an ApiError. */
export function asError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError('unexpected', thrown instanceof Error ? thrown.message : t.errors.unexpected);
}
