import { n } from './numbers';

export const errors = {
  network: 'Could not reach the panel.',
  /** The panel's own sentences, which are English, by code: said instead of them where they name nothing more. */
  sentences: {} as Record<string, string>,
  waitSeconds: (seconds: number) => n(seconds, 'Wait # second, then try again.', 'Wait # seconds, then try again.'),
  hints: {
    network: 'Check that the panel is running and that this device can reach it, then try again.',
    unauthenticated: 'Sign in again.',
    bad_setup_token: 'Copy the setup link again from the panel’s output, or the token from the file “setup-token” in its data folder.',
    already_set_up: 'Sign in with the existing account.',
    forbidden: 'Ask an admin for the permission.',
    bad_origin: 'Open the panel at the address it was set up with (PUBLIC_URL).',
    not_found: 'It may have been deleted. Go back to the list of servers.',
    precondition_failed: 'Reload the page and make your change again.',
    port_in_use: 'Choose another port.',
    username_taken: 'Choose another name.',
    last_admin: 'Make another account admin first.',
    already_starting: 'Wait until it has started.',
    already_running: 'Nothing to do: it is running.',
    already_stopping: 'Wait until it has stopped, or force-stop it.',
    not_running: 'Start it first.',
    installing: 'Wait until the install is done, or cancel it.',
    paused: 'Resume it first.',
    not_paused: 'Nothing to do: it is not paused.',
    suspended: 'Ask an admin to lift the suspension.',
    invalid: 'Correct the marked fields, then try again.',
    eula_required: 'Read the licence and tick the box.',
    too_many_requests: 'Wait a moment, then try again.',
    busy: 'The panel is busy. Try again in a moment.',
    node_offline: 'Start the agent on that machine, then try again.',
    node_timeout: 'The machine did not answer in time. Check it under Nodes, then try again.',
    engine_unavailable: 'Start Docker on that machine (systemctl start docker), then try again.',
    disk_full: 'Free some space on the panel’s disk. Saving works again by itself then.',
    internal: 'Try again. If it happens again, search the panel’s log for the id given here.'
  },
  tooOften: 'Too many attempts.',
  unexpectedStatus: (status: number) => `The panel answered with an unexpected status ${status}.`,
  unexpected: 'Something unexpected happened.'
};
