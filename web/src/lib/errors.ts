/** What went wrong with a call, in words for the person in front of the page. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly fields: Record<string, string> = {},
    readonly retryAfter: number | null = null
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** What to do next, where we know it. */
  get hint(): string {
    if (this.code === 'too_many_requests' && this.retryAfter) {
      return `Wait ${this.retryAfter} s, then try again.`;
    }
    return HINTS[this.code] ?? '';
  }
}

const HINTS: Record<string, string> = {
  network: 'Check that the panel is running and that this device reaches it, then try again.',
  unauthenticated: 'Sign in again.',
  bad_setup_token: 'Copy the setup link again from the panel’s output, or the token from the file “setup-token” in its data folder.',
  already_set_up: 'Sign in with the account that was made.',
  forbidden: 'Ask an admin for the permission.',
  bad_origin: 'Open the panel by the address it was set up with (PUBLIC_URL).',
  not_found: 'It may have been deleted meanwhile. Go back to the list of servers.',
  port_in_use: 'Choose another port.',
  username_taken: 'Choose another name.',
  last_admin: 'Make another account admin first.',
  already_starting: 'Wait until it has started.',
  already_running: 'Nothing to do: it runs.',
  already_stopping: 'Wait until it has stopped, or kill it.',
  not_running: 'Start it first.',
  installing: 'Wait until the install is done, or cancel it.',
  paused: 'Resume it first.',
  not_paused: 'Nothing to do: it is not paused.',
  suspended: 'Ask an admin to lift the suspension.',
  invalid: 'Correct what is marked, then try again.',
  eula_required: 'Read the licence and tick the box.',
  too_many_requests: 'Wait a moment, then try again.',
  busy: 'The panel has much to do. Try again in a moment.',
  node_offline: 'Start the agent on that machine, then try again.',
  node_timeout: 'The machine did not answer in time. Look at it under Nodes, then try again.',
  engine_unavailable: 'Start Docker on that machine (systemctl start docker), then try again.',
  disk_full: 'Free some space on the panel’s disk. It goes on by itself then.',
  internal: 'Try again. If it stays, look in the panel’s log for the id named here.'
};

/** Reads the error body of an answer; takes anything, as a proxy in between may answer too. */
export function errorFrom(body: unknown, status: number, retryAfter: string | null = null): ApiError {
  const error = (body as { error?: { code?: unknown; message?: unknown; fields?: unknown } } | null | undefined)?.error;
  const seconds = retryAfter && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null;
  if (error && typeof error.code === 'string' && typeof error.message === 'string') {
    return new ApiError(error.code, error.message, status, fieldsOf(error.fields), seconds);
  }
  if (status === 429) return new ApiError('too_many_requests', 'That was too often.', status, {}, seconds);
  return new ApiError('unexpected', `The panel answered with an unexpected status ${status}.`, status);
}

function fieldsOf(fields: unknown): Record<string, string> {
  if (typeof fields !== 'object' || fields === null) return {};
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value)]));
}

/** Whatever was thrown, as an ApiError. */
export function asError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError('unexpected', thrown instanceof Error ? thrown.message : 'Something unexpected happened.');
}
