import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The games that the tests run. Nothing is made anew where nothing changed. */
export default function images() {
  const make = fileURLToPath(new URL('../../images/make', import.meta.url));
  execFileSync(make, ['busybox', 'openarena'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
